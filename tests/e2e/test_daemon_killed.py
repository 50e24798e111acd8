"""The region's daemon is killed again and again under work; the work goes on and nothing is lost."""

import json
import os
import signal
import threading
import time

from postroad_ops.command import Operator
from postroad_region import daemon

KILLS = 10
UP_KILLS = 10


class Killer:
    """Kills the daemon as soon as it is up again, at growing distances, until told to stop or `kills` are done."""

    def __init__(self, kills: int) -> None:
        self._kills = kills
        self._stop = threading.Event()
        self.done = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        last = 0
        while not self._stop.is_set() and self.done < self._kills:
            status = daemon.status(timeout=1)
            if status is None or status["pid"] == last:
                self._stop.wait(0.05)
                continue
            last = int(status["pid"])
            self._stop.wait(0.1 * (self.done % 5))
            os.kill(last, signal.SIGKILL)
            self.done += 1


def settled() -> dict[str, object]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = daemon.status(timeout=1)
        if status and status["settled"] and not status["faults"]:
            return status
        threading.Event().wait(0.2)
    raise AssertionError(f"the region didn't settle: {daemon.status()}")


def test_mail_flows_on(operator: Operator) -> None:
    with Killer(KILLS) as killer:
        report = json.loads(operator("send", "--count", "3000", "--rate", "200", "--json").stdout)
    assert killer.done == KILLS
    assert (report["accepted"], report["delivered"], report["twice"]) == (3000, 3000, 0)
    settled()


def test_make_up_converges(operator: Operator) -> None:
    with Killer(UP_KILLS) as killer:
        operator("up", expect=None)
    assert killer.done == UP_KILLS
    settled()
    operator("up")

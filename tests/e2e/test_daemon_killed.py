"""The region's daemon is killed again and again under work; the work goes on and nothing is lost."""

import json
import os
import signal
import threading
import time

from postroad_ops.command import Operator
from postroad_region import daemon

KILLS = 10
# How long it may live after it is up: too short for a request, in the middle of one, and long enough to get on.
LIVES = (0.05, 4.0, 0.6, 7.0, 1.5)
MOST_BATCHES = 40
MOST_RUNS = 4


class Killer:
    """Kills the daemon a while after it is up again, until told to stop or `kills` are done."""

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
            self._stop.wait(LIVES[self.done % len(LIVES)])
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
    batches = 0
    with Killer(KILLS) as killer:
        while killer.done < KILLS and batches < MOST_BATCHES:
            report = json.loads(operator("send", "--count", "600", "--rate", "200", "--json").stdout)
            assert (report["accepted"], report["delivered"], report["twice"]) == (600, 600, 0)
            batches += 1
    assert killer.done == KILLS
    settled()


def test_make_up_converges(operator: Operator) -> None:
    """A run may fail at a kill; the next one goes on from there, and one that ends well has brought up all of it."""
    converged, runs = False, 0
    with Killer(KILLS) as killer:
        while killer.done < KILLS and runs < MOST_RUNS:
            converged = operator("up", expect=None).returncode == 0
            runs += 1
    assert killer.done == KILLS
    settled()
    if not converged:
        operator("up")
    report = json.loads(operator("send", "--count", "200", "--json").stdout)
    assert (report["accepted"], report["delivered"], report["twice"]) == (200, 200, 0)

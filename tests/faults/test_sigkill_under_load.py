"""kill -9 under load: what was accepted is delivered, bounced or queued, and nothing twice but what was in flight.

`POSTROAD_KILLS` says how often (`make soak`: 50), `POSTROAD_SEED` repeats the choice of moments and processes.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accounts import AccountingSink, Client, id_of
from daemons import MtaDaemon, wait_until
from postroad.spool.inspect import content_of
from postroad.spool.recovery import read_spool
from postroad.workers.partition import partition

KILLS = int(os.environ.get("POSTROAD_KILLS", "5"))
SEED = int(os.environ.get("POSTROAD_SEED", "0")) or random.randrange(1, 1 << 31)
CLIENTS = 4
CONNECTIONS = 5
LONGEST_LIFE_SECONDS = 0.6
SETTINGS = f"""
[egress]
max_connections_per_site = {CONNECTIONS}
[retry]
first_delay = "200ms"
max_delay = "3s"
max_age = "1h"
"""


class Killed:
    """An MTA under load that is killed and started again, and what became of the mail."""

    def __init__(self, folder: Path, keep: Callable[[Any], Any], *, workers: int) -> None:
        self._chance = random.Random(f"{SEED}-{workers}")
        self._workers = workers
        self.sink = keep(AccountingSink())
        self.sink.start()
        self._spool = folder / "spool"
        self.mta = keep(MtaDaemon(folder, smart_host=self.sink.port, more=SETTINGS))
        self.mta.config.write_text(f"workers = {workers}\n" + self.mta.config.read_text())
        self.mta.start()
        self.clients = [keep(Client(self.mta.port, f"client{number}")) for number in range(CLIENTS)]
        for client in self.clients:
            client.start()

    @property
    def accepted(self) -> set[str]:
        return {id for client in self.clients for id in list(client.accepted)}

    def kill_once(self) -> None:
        """At a random moment: often before it is ready, so that recoveries are cut too."""
        enough = len(self.accepted) + 50
        wait_until(lambda: len(self.accepted) >= enough, what="load")
        # The moment is what is random here; nothing is waited for.
        time.sleep(self._chance.uniform(0, LONGEST_LIFE_SECONDS))
        if self._workers > 1 and self._chance.random() < 0.6:
            self._kill_worker()
            return
        self._kill()
        if self._chance.random() < 0.3:
            self.mta._begin()
            time.sleep(self._chance.uniform(0, LONGEST_LIFE_SECONDS))
            self.mta.kill()
        self.mta.start()

    def _kill_worker(self) -> None:
        before = self._pids()
        os.kill(self._chance.choice(before), signal.SIGKILL)
        wait_until(lambda: len(self._pids()) == self._workers and self._pids() != before, what="a new worker")

    def _pids(self) -> list[int]:
        facts = json.loads(self.mta.get("/workers"))["workers"]
        return [item["pid"] for item in facts if item["ready"]]

    def _kill(self) -> None:
        workers = self._pids() if self._workers > 1 else []
        self.mta.kill()
        # Workers end with their parent, each in its time; the spool is theirs until then.
        wait_until(lambda: not any(map(_runs, workers)), what="the workers ended")

    def queued(self) -> set[str]:
        """X-Ids of what lies in the spool, and of what notifications there are about; nothing may run."""
        folders = [partition(self._spool, number + 1) for number in range(self._workers)]
        each = ((folder, message) for folder in folders for message in read_spool(folder).messages.values())
        return {id_of(content_of(folder, message)) for folder, message in each}

    def check_nothing_is_lost(self) -> None:
        """With everything stopped: accepted = delivered + bounced + queued."""
        for client in self.clients:
            client.stop()
        self._kill()
        queued = self.queued()
        lost = self.accepted - self.sink.settled - queued
        assert not lost, f"{len(lost)} of {len(self.accepted)} accepted are lost: {sorted(lost)[:5]}"
        self.mta.start()

    def finish(self) -> None:
        """Let everything come to its end."""
        self.sink.open = True
        self.mta.flush()
        wait_until(lambda: self.mta.queue()["messages"] == 0, seconds=120, what="the queue is empty")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_accepted_is_lost_by_sigkill(tmp_path: Path, stopped_after: Callable[[Any], Any], workers: int) -> None:
    print(f"seed {SEED}")
    killed = Killed(tmp_path, stopped_after, workers=workers)
    for _ in range(KILLS):
        killed.kill_once()
    killed.check_nothing_is_lost()
    killed.finish()
    accepted, sink = killed.accepted, killed.sink
    assert accepted <= sink.settled
    kinds = {"delivered": len(sink.delivered), "bounced": len(sink.bounced)}
    report = {"accepted": len(accepted), **kinds, "duplicates": sink.duplicates, "kills": KILLS, "seed": SEED}
    print(report)
    if "POSTROAD_REPORT" in os.environ:
        with Path(os.environ["POSTROAD_REPORT"]).open("a") as file:
            file.write(json.dumps({"workers": workers, **report}) + "\n")
    assert not sink.delivered.keys() & sink.bounced.keys()
    assert sink.bounced
    # A kill may come twice in a round, and once more at the check; a worker has connections of its own.
    assert sink.duplicates <= (2 * KILLS + 1) * CONNECTIONS

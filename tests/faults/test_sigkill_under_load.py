"""kill -9 under load: what was accepted is delivered, bounced or queued, and nothing twice but what was in flight.

`POSTROAD_KILLS` says how often (`make soak`: 50), `POSTROAD_SEED` repeats the choice of moments and processes.
"""

import contextlib
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from accounts import AccountingSink, Client, id_of
from daemons import MtaDaemon, wait_until
from postroad.spool.inspect import content_of
from postroad.spool.recovery import read_spool
from postroad.workers.partition import partition

KILLS = int(os.environ.get("POSTROAD_KILLS", "5"))
SEED = int(os.environ.get("POSTROAD_SEED", "0")) or random.randrange(1, 1 << 31)
CLIENTS = 4
CONNECTIONS = 6
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
        self.kills = 0
        self.in_flight = 0
        """How many may come twice: at each kill one for each connection, and what was about to be given back."""
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
            self._kill()
        self.mta.start()

    def _kill_worker(self) -> None:
        before = self._pids()
        number, pid = self._chance.choice(list(before.items()))
        # What it leaves is looked at before another one takes it up.
        os.kill(pid, signal.SIGSTOP)
        self._count_in_flight([partition(self._spool, number)])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(self._pids()) == self._workers and self._pids() != before, what="a new worker")

    def _pids(self) -> dict[int, int]:
        """Of the workers that are ready, by their number."""
        facts = json.loads(self.mta.get("/workers"))["workers"]
        return {item["worker"]: item["pid"] for item in facts if item["ready"]}

    def _kill(self) -> None:
        """The whole MTA: workers end with their parent, each in its time, and the spool is theirs until then."""
        assert self.mta.process is not None
        children = Path(f"/proc/{self.mta.process.pid}/task/{self.mta.process.pid}/children").read_text().split()
        self.mta.kill()
        wait_until(lambda: not any(map(_runs, children)), what="the workers ended")
        self._count_in_flight(self._folders)

    def _count_in_flight(self, folders: list[Path]) -> None:
        """What an end now may bring twice."""
        self.kills += 1
        originals, notices = self._lying(folders)
        self.in_flight += CONNECTIONS // self._workers * len(folders) + len(originals & notices)

    @property
    def _folders(self) -> list[Path]:
        return [partition(self._spool, number + 1) for number in range(self._workers)]

    def _lying(self, folders: list[Path]) -> tuple[set[str], set[str]]:
        """X-Ids of messages that lie in these folders, and of those that notifications there are about."""
        lying: tuple[set[str], set[str]] = (set(), set())
        for folder in folders:
            for message in read_spool(folder).messages.values():
                lying[not message.sender].add(id_of(content_of(folder, message)))
        return lying

    def check_nothing_is_lost(self) -> None:
        """With everything stopped: accepted = delivered + bounced + queued."""
        for client in self.clients:
            client.stop()
        self._kill()
        originals, notices = self._lying(self._folders)
        lost = self.accepted - self.sink.settled - originals - notices
        assert not lost, f"{len(lost)} of {len(self.accepted)} accepted are lost: {sorted(lost)[:5]}"
        self.mta.start()

    def finish(self) -> None:
        """Let everything come to its end."""
        self.sink.open = True
        self.mta.flush()
        wait_until(self._empty, seconds=120, what="the queue is empty")

    def _empty(self) -> bool:
        # A worker that just begins may not answer in time: 503, try again.
        with contextlib.suppress(HTTPError):
            return bool(self.mta.queue()["messages"] == 0)
        return False


def _runs(pid: str) -> bool:
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
    counts = {"duplicates": sink.duplicates, "in_flight": killed.in_flight, "kills": killed.kills}
    report = {"accepted": len(accepted), **kinds, **counts, "seed": SEED}
    print(report)
    if "POSTROAD_REPORT" in os.environ:
        with Path(os.environ["POSTROAD_REPORT"]).open("a") as file:
            file.write(json.dumps({"workers": workers, **report}) + "\n")
    assert not sink.delivered.keys() & sink.bounced.keys()
    assert sink.bounced
    assert killed.kills > KILLS
    assert sink.duplicates <= killed.in_flight

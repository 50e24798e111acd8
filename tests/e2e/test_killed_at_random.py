"""The daemon is killed at a random moment of a random operation, again and again: each time the machine becomes what
the API says.

`POSTROAD_KILLS` says how often (`make soak`: 100), `POSTROAD_SEED` repeats a run.
"""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from postroad_ops import hosts
from postroad_ops.command import Operator
from postroad_region import daemon

from tests.e2e.campaign.balancers import Balancers
from tests.e2e.campaign.faults import Faults
from tests.e2e.campaign.machines import Machines
from tests.e2e.campaign.names import Names
from tests.e2e.campaign.network import Network
from tests.e2e.campaign.part import Part, Place, place
from tests.e2e.campaign.scaling import Scaling
from tests.e2e.waiting import wait_for

KILLS = int(os.environ.get("POSTROAD_KILLS", "8"))
SEED = int(os.environ.get("POSTROAD_SEED", str(time.time_ns() % 1_000_000)))
# Long enough for what a command of the region's takes to start, and for what a host takes to boot.
LONGEST_DELAY_SECONDS = 2.5
SETTLE_SECONDS = 90
KINDS: Sequence[Callable[[Place], Part]] = (Machines, Network, Names, Balancers, Scaling, Faults)


def dealt(operations: Sequence[Callable[[], None]], chance: random.Random) -> Iterator[Callable[[], None]]:
    """Operations without end, in random order; none comes twice before all have come once."""
    while True:
        yield from chance.sample(operations, len(operations))


def disagreements(parts: Sequence[Part]) -> list[str]:
    said = daemon.status(timeout=5)
    if said is None or not said["settled"] or said["faults"]:
        return [f"the daemon says {said}"]
    return [wrong for part in parts for wrong in part.disagreements()]


def agreed(parts: Sequence[Part], round_: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    wrong = ["nobody was asked yet"]
    while wrong:
        assert time.monotonic() < deadline, f"{round_}: {wrong}"
        try:
            wrong = disagreements(parts)
        except (BotoCoreError, ClientError, OSError) as error:
            wrong = [str(error)]
        if wrong:
            threading.Event().wait(0.2)


@pytest.fixture
def parts() -> Iterator[list[Part]]:
    where = place(random.Random(SEED))
    made = [kind(where) for kind in KINDS]
    yield made
    for part in reversed(made):
        part.tidy()
    agreed(made, "tidied")


def test_after_every_kill_the_machine_is_what_the_api_says(operator: Operator, parts: list[Part]) -> None:
    chance = random.Random(SEED)
    operations = dealt([operation for part in parts for operation in part.operations], chance)
    converged: list[dict[str, object]] = []
    for number in range(KILLS):
        operation = next(operations)
        status = daemon.status()
        assert status
        victim, delay = int(status["pid"]), chance.uniform(0, LONGEST_DELAY_SECONDS)
        killer = threading.Timer(delay, os.kill, (victim, signal.SIGKILL))
        killer.start()
        # What a call has done whose answer never came is in the API: what counts is that the machine follows.
        with suppress(BotoCoreError, ClientError):
            operation()
        killer.join()
        killed = time.monotonic()
        round_ = f"seed {SEED}, kill {number} of {KILLS}, {delay:.2f} s into {operation.__name__}"
        print(round_, flush=True)
        agreed(parts, round_)
        converged.append({"operation": operation.__name__, "seconds": round(time.monotonic() - killed, 2)})
    if report_to := os.environ.get("POSTROAD_REPORT"):
        Path(report_to).write_text(json.dumps({"seed": SEED, "converged": converged}))
    for part in reversed(parts):
        part.tidy()
    wait_for(
        lambda: {host.health for host in hosts.of_stack("local")} == {"ready"}, seconds=60, what="every host ready"
    )
    report = json.loads(operator("send", "--count", "200", "--json").stdout)
    assert (report["accepted"], report["delivered"], report["twice"]) == (200, 200, 0)

"""One round: a fresh server, a warm-up, a load, and what it came to."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postroad_ops import places
from postroad_ops.faults import OperationError

from postroad_bench.mta.load import pour, smtp_source
from postroad_bench.mta.processor import processor_time
from postroad_bench.mta.server import System, Task, free_port
from postroad_bench.mta.sink import counting_sink, smtp_sink, stalled_sink, wait_for_count

WARM_UP = 400


@dataclass(frozen=True, slots=True)
class Round:
    """What a server did.

    Args:
        accepted: messages per second, by the load generator's whole time.
        delivered: messages per second at the sink, from the first to the last; 0 if nothing was to leave.
        cpu: seconds of processor per 1,000 messages, all processes of the server, the kernel's work for them included.
        peak_mib: resident memory, the peaks of its processes summed.
        busy: of the machine's processor time during the load, what was not idle: server, load generator, sink, kernel.
    """

    accepted: float
    delivered: float
    cpu: float
    peak_mib: float
    busy: float = 0.0


@contextlib.contextmanager
def folder_on_disk() -> Iterator[Path]:
    """An empty folder for queues, which anybody may look into; it is gone afterwards.

    Raises:
        OperationError: it would lie in memory.
    """
    base = places.cache() / "bench"
    base.mkdir(parents=True, exist_ok=True)
    if (kind := file_system(base)) in ("tmpfs", "ramfs"):
        raise OperationError(f"{base} is a {kind}: a sync costs nothing there", remedy="set POSTROAD_CACHE to a disk")
    with tempfile.TemporaryDirectory(dir=base, prefix="mta-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def file_system(folder: Path) -> str:
    """The kind of file system that a folder lies on."""
    device = folder.stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        major, minor = map(int, fields[2].split(":"))
        if (major << 8 | minor) == ((device >> 8 & 0xFFF) << 8 | device & 0xFF):
            return fields[fields.index("-") + 1]
    return "unknown"


def relay(system: System, *, messages: int, octets: int, key: Path | None = None) -> Round:
    """smtp-source into the server, the server into smtp-sink.

    Raises:
        OperationError: something was refused or never arrived.
    """
    with folder_on_disk() as folder, smtp_sink() as sink:
        task = Task(folder, free_port(), sink.port, key=key)
        with system.running(task) as server:
            smtp_source(server.port, messages=WARM_UP, octets=octets)
            wait_for_count(sink.count, WARM_UP)
            before, at_start = server.cpu_seconds(), processor_time()
            seconds: list[float] = []
            load = threading.Thread(
                target=lambda: seconds.append(smtp_source(server.port, messages=messages, octets=octets))
            )
            load.start()
            at_first, first, last = wait_for_count(sink.count, WARM_UP + messages)
            load.join()
            spent, busy = server.cpu_seconds() - before, processor_time().busy_since(at_start)
            if not seconds:
                raise OperationError(f"{system.name} didn't accept all", remedy="try again")
            rate = (WARM_UP + messages - at_first) / max(last - first, 0.001)
            return Round(messages / seconds[0], rate, spent / messages * 1000, server.peak_octets() / 2**20, busy)


def accept(system: System, *, messages: int, octets: int) -> Round:
    """smtp-source into the server, which sends nothing on.

    Raises:
        OperationError: something was refused.
    """
    with folder_on_disk() as folder, stalled_sink() as sink:
        task = Task(folder, free_port(), sink, hold=True)
        with system.running(task) as server:
            smtp_source(server.port, messages=WARM_UP, octets=octets)
            before, at_start = server.cpu_seconds(), processor_time()
            seconds = smtp_source(server.port, messages=messages, octets=octets)
            spent, busy = server.cpu_seconds() - before, processor_time().busy_since(at_start)
            return Round(messages / seconds, 0.0, spent / messages * 1000, server.peak_octets() / 2**20, busy)


def verify(system: System, *, messages: int, octets: int, key: Path | None = None) -> dict[str, int]:
    """Numbered messages from our own generator into our own sink: what was accepted, and what of it arrived.

    Raises:
        OperationError: an accepted message never arrived, came twice, or isn't signed although a key was given.
    """
    with folder_on_disk() as folder, counting_sink(folder, ids=messages) as sink:
        task = Task(folder, free_port(), sink.port, key=key)
        with system.running(task) as server:
            poured = pour(server.port, messages=messages, octets=octets)
            wait_for_count(sink.count, poured.accepted)
            found = sink.tally()
    facts = {"accepted": poured.accepted, "arrived": found.unique, "twice": found.twice, "signed": found.signed}
    wanted = {**facts, "arrived": poured.accepted, "twice": 0, "signed": poured.accepted if key is not None else 0}
    if facts != wanted:
        raise OperationError(f"{system.name}: not every accepted message arrived once: {facts}", remedy="look into it")
    return facts

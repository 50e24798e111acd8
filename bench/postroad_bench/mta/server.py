"""What is measured: an MTA that takes mail on a port of its own and sends it on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from postroad_ops.faults import OperationError
from postroad_region.hypervisor.hosts import process_tree

START_SECONDS = 30.0
STOP_SECONDS = 10.0
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Task:
    """What a server is set up for.

    Args:
        folder: where its configuration, its queue and its log lie; on a disk.
        port: where it takes mail on loopback.
        sink: the port on loopback that it sends all mail to.
        hold: nothing is to leave, only to be accepted.
        key: PEM file of the RSA key that signs mail of bench.test.
    """

    folder: Path
    port: int
    sink: int
    hold: bool = False
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs.

    Args:
        roots: processes that it consists of, with all below them.
    """

    port: int
    roots: Sequence[int]

    def cpu_seconds(self) -> float:
        """User and system time of all its processes so far, of those that ended too."""
        return sum(_cpu_ticks(pid) for root in self.roots for pid in process_tree(root)) / _TICK

    def peak_octets(self) -> int:
        """The most memory that was resident, summed over its processes."""
        return sum(_status_kib(pid, "VmHWM") for root in self.roots for pid in process_tree(root)) << 10


class System(Protocol):
    """A kind of MTA."""

    name: str

    def missing(self) -> str | None:
        """Why it can't be measured on this machine, once what can be installed is; None if it can."""

    def running(self, task: Task) -> contextlib.AbstractContextManager[Server]:
        """One that takes mail now; it is gone afterwards, whatever it still held.

        Raises:
            OperationError: it doesn't start.
        """


@contextlib.contextmanager
def process(command: Sequence[str], *, log: Path, cwd: Path, stop: int = signal.SIGKILL) -> Iterator[int]:
    """A program that runs meanwhile, its output in a file; its process id.

    Raises:
        OperationError: there is no such program.
    """
    with log.open("ab") as output:
        try:
            started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd)
        except FileNotFoundError:
            raise OperationError(f"{command[0]} isn't on this machine", remedy="run: make bench SUITE=mta") from None
    try:
        yield started.pid
    finally:
        started.send_signal(stop)
        try:
            started.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_for_greeting(port: int, *, name: str, log: Path, pid: int, seconds: float = START_SECONDS) -> None:
    """Return when a server greets with 220.

    Raises:
        OperationError: it ended, or doesn't greet in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            if client.recv(512).startswith(b"220"):
                client.sendall(b"QUIT\r\n")
                return
        if time.monotonic() > deadline or not running(pid):
            raise OperationError(f"{name} takes no mail on port {port}: {last_words(log)}", remedy="try again")
        time.sleep(0.02)


def last_words(log: Path) -> str:
    """The end of what a program wrote, in one line."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return " / ".join(line.strip() for line in lines if line.strip())[-300:] or "it said nothing"


def running(pid: int) -> bool:
    """Whether a process runs; one that ended and wasn't waited for doesn't."""
    return _status_kib(pid, "VmRSS") > 0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_ticks(pid: int) -> int:
    """Its own time and that of the children that it has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name may have spaces; utime, stime, cutime and cstime are fields 14 to 17 (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15])


def _status_kib(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)

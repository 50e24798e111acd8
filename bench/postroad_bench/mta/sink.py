"""Sinks: what mail runs into, and how much of it."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from postroad_ops.faults import OperationError

from postroad_bench.mta.programs import program
from postroad_bench.mta.server import free_port, process

LOOK_SECONDS = 0.01
QUIET_SECONDS = 20.0
_COUNTERS = struct.Struct("<7Q256Q")


class SmtpSink:
    """Postfix's smtp-sink, which says how many messages it has taken; `count` is as new as the last look."""

    def __init__(self, port: int, output: IO[bytes]) -> None:
        self.port = port
        self._output = output
        self._rest = b""
        self._count = 0
        os.set_blocking(output.fileno(), False)

    def count(self) -> int:
        """Messages taken so far."""
        while chunk := self._output.read(1 << 16):
            self._rest = (self._rest + chunk)[-200:]
        if found := re.findall(rb"mesg=(\d+)\s", self._rest):
            self._count = int(found[-1])
        return self._count


@contextlib.contextmanager
def smtp_sink() -> Iterator[SmtpSink]:
    """An smtp-sink on a free port of loopback.

    Raises:
        OperationError: it isn't on this machine.
    """
    if shutil.which("smtp-sink") is None:
        raise OperationError("smtp-sink isn't on this machine", remedy="run: apt-get install postfix")
    port = free_port()
    command = ["smtp-sink", "-c", f"127.0.0.1:{port}", "1024"]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]  # it insists
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            _wait_for_port(port)
            yield SmtpSink(port, running.stdout)
        finally:
            running.kill()


@dataclass(frozen=True, slots=True)
class Tally:
    """What a counting sink has taken.

    Args:
        unique: ids that came at all; `twice` counts what came of them beyond that.
        first, last: monotonic seconds.
        by_address: messages by address, in order.
    """

    messages: int
    unique: int
    twice: int
    unnumbered: int
    signed: int
    first: float
    last: float
    by_address: Sequence[int]


class CountingSink:
    """Our own sink, which knows messages by their ids; a look at it costs it nothing."""

    def __init__(self, port: int, counters: mmap.mmap) -> None:
        self.port = port
        self._counters = counters

    def tally(self) -> Tally:
        """What it has taken so far."""
        messages, unique, twice, unnumbered, signed, first, last, *each = _COUNTERS.unpack_from(self._counters)
        return Tally(messages, unique, twice, unnumbered, signed, first / 1e9, last / 1e9, each)

    def count(self) -> int:
        """Messages taken so far."""
        return self.tally().messages


@contextlib.contextmanager
def counting_sink(
    folder: Path, *, ids: int, port: int = 0, first: str = "127.0.0.1", addresses: int = 1
) -> Iterator[CountingSink]:
    """A counting sink on consecutive addresses, its counters and log in a folder.

    Args:
        ids: messages have ids below this.
        port: a free one if 0.
    """
    port = port or free_port()
    file = folder / f"counters-{port}"
    command = [
        str(program("sink")),
        "-p",
        str(port),
        "-o",
        str(file),
        "-n",
        str(ids),
        "-a",
        first,
        "-k",
        str(addresses),
    ]
    with process(command, log=folder / "sink.log", cwd=folder):
        _wait_for_port(port, first)
        with file.open("r+b") as opened, mmap.mmap(opened.fileno(), _COUNTERS.size) as counters:
            yield CountingSink(port, counters)


@contextlib.contextmanager
def stalled_sink(port: int = 0, addresses: Sequence[str] = ("127.0.0.1",)) -> Iterator[int]:
    """Hosts that let connect and never greet; their port. Closing it resets who waited."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(1024)
            port = int(listener.getsockname()[1])
        yield port


def wait_for_count(count: Callable[[], int], wanted: int) -> tuple[int, float, float]:
    """Wait until a sink has taken `wanted`: what it had at the first look that showed one more, when that was, and when
    it had all.

    Raises:
        OperationError: nothing came for 20 s.
    """
    before = have = count()
    first, at_first, last = 0.0, 0, time.monotonic()
    while have < wanted:
        now = time.monotonic()
        if now - last > QUIET_SECONDS:
            raise OperationError(f"the sink has {have} of {wanted} messages, and no more come", remedy="try again")
        time.sleep(LOOK_SECONDS)
        if (found := count()) != have:
            have, last = found, time.monotonic()
            if not at_first and have > before:
                first, at_first = last, have
    return at_first, first, last


def _wait_for_port(port: int, address: str = "127.0.0.1") -> None:
    deadline = time.monotonic() + 10
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        if time.monotonic() > deadline:
            raise OperationError(f"the sink doesn't listen on {address}:{port}", remedy="try again")
        time.sleep(0.01)

"""Load: mail put into a server, and how that went."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postroad_ops.faults import OperationError

from postroad_bench.mta.programs import program

CONNECTIONS = 30
LOAD_SECONDS = 120.0


def smtp_source(port: int, *, messages: int, octets: int) -> float:
    """Put messages in with Postfix's smtp-source, 30 connections, no pipelining; seconds until all were accepted.

    Raises:
        OperationError: one wasn't, or it takes more than two minutes.
    """
    command = [
        "smtp-source", "-s", str(CONNECTIONS), "-m", str(messages), "-l", str(octets), "-d", "-N",
        "-f", "news@bench.test", "-t", "u@d0.s0.bench.test", f"127.0.0.1:{port}",
    ]  # fmt: skip
    began = time.monotonic()
    _run(command, LOAD_SECONDS)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Poured:
    """What our own generator saw.

    Args:
        refused: messages of which a command or the content got a 4yz or 5yz.
        lost: messages whose connection ended before their reply.
        p50_us, p99_us, max_us: from the final dot to its reply.
        marks: seconds at which each hundredth of the messages was accepted; 0 for those that weren't.
    """

    accepted: int
    refused: int
    lost: int
    seconds: float
    first_refusal: str
    p50_us: float
    p99_us: float
    max_us: float
    marks: Sequence[float]


def source_command(
    port: int, *, messages: int, octets: int, rate: float = 0.0, domains: int = 1, sites: int = 1, seconds: float
) -> list[str]:
    """The command of our own generator, whose messages have ids; `rate` 0 is as fast as the server answers."""
    options = {
        "p": port,
        "c": CONNECTIONS,
        "n": messages,
        "l": octets,
        "r": rate,
        "d": domains,
        "s": sites,
        "t": seconds,
    }
    return [str(program("source")), *(word for name, value in options.items() for word in (f"-{name}", str(value)))]


def pour(port: int, *, messages: int, octets: int, seconds: float = LOAD_SECONDS, **options: Any) -> Poured:
    """Put messages in with our own generator; what isn't answered within `seconds` is left.

    Raises:
        OperationError: no message was accepted, or connections kept breaking.
    """
    told = _run(source_command(port, messages=messages, octets=octets, seconds=seconds, **options), seconds + 10)
    found = Poured(**json.loads(told))
    if not found.accepted:
        raise OperationError(f"port {port} accepted nothing: {found.first_refusal or 'no reply'}", remedy="try again")
    return found


def _run(command: Sequence[str], seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise OperationError(f"`{' '.join(command)}` takes more than {seconds:g} s", remedy="try again") from None
    except FileNotFoundError:
        raise OperationError(f"{command[0]} isn't on this machine", remedy="run: apt-get install postfix") from None
    if done.returncode:
        raise OperationError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-300:]}", remedy="try again")
    return done.stdout

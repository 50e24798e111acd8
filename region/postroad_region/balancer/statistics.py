"""What HAProxy says of itself on its command line sockets (management.txt, 9.1 and 9.3)."""

from __future__ import annotations

import csv
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

LARGEST_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a node sees of a target.

    Args:
        up: it gets connections.
        passed: the last probe passed; None before the first one.
        sessions: open connections.
    """

    up: bool
    passed: bool | None
    sessions: int


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that has connections; `old` if it is one of before the last reload."""

    pid: int
    old: bool


def parse_statistics(text: str) -> dict[tuple[str, str], Sighting]:
    """`show stat`: by backend and server."""
    lines = text.lstrip("# ").splitlines()
    found = {}
    for row in csv.DictReader(lines):
        if row.get("svname") in (None, "FRONTEND", "BACKEND") or row.get("type") != "2":
            continue
        status, probe = row["status"], (row.get("check_status") or "").removeprefix("* ")
        found[str(row["pxname"]), str(row["svname"])] = Sighting(
            up=status.startswith("UP") or status == "no check",
            passed=None if probe in ("", "INI", "UNK") else probe in ("L4OK", "L6OK", "L7OK", "L7OKC"),
            sessions=int(row["scur"] or 0),
        )
    return found


def parse_processes(text: str) -> list[Worker]:
    """`show proc` of the master: the workers."""
    found: list[Worker] = []
    old = False
    for line in text.splitlines():
        if line.startswith("#"):
            old = "old workers" in line
            continue
        words = line.split()
        if len(words) > 1 and words[1] == "worker":
            found.append(Worker(int(words[0]), old))
    return found


def parse_sessions(text: str, targets: Collection[tuple[str, str]]) -> list[str]:
    """`show sess`: the ids of the sessions with targets, given by backend and name."""
    found = []
    for line in text.splitlines():
        if line.startswith("0x"):
            words = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if (words.get("be", ""), words.get("srv", "")) in targets:
                found.append(line.partition(":")[0])
    return found


def description_in(text: str) -> str:
    """The description in `show info`: the digest of the configuration that a worker has."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "description":
            return value.strip()
    return ""


def ask(path: Path, commands: Iterable[str], *, timeout: float = 2.0) -> str:
    """The answer to commands on a socket of HAProxy's.

    Raises:
        OSError: nobody answers there.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall((";".join(commands) + "\n").encode())
        connection.shutdown(socket.SHUT_WR)
        pieces, size = [], 0
        while piece := connection.recv(65536):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_ANSWER:
                raise OSError(f"{path} answers with more than {LARGEST_ANSWER} octets")
    return b"".join(pieces).decode("utf-8", "replace")

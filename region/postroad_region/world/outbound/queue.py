"""What the providers still have to send or to do, on disk: a file for each, gone when it is done.

Like the ledger it survives the process, not a power cut. What is beyond the bound is dropped and counted.
"""

import contextlib
import heapq
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

_LIMIT = 20_000


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to do.

    Args:
        kind: a bounce is sent; a complaint is recorded, and reported if `to` is known.
        due: world time of the first or next try; `made`: of the entry.
        attempts: tries so far.
        address: that of the provider's host which sends.
        to: where it goes.
    """

    id: str
    kind: Literal["bounce", "complaint"]
    provider: str
    due: float
    made: float
    address: str
    host: str
    to: str
    sender: str
    recipient: str
    source: str
    transaction: str
    content: bytes
    attempts: int = 0
    recorded: bool = False


class FullError(Exception):
    """The queue is at its bound."""


class OutboundQueue:
    """Entries by when they are due.

    Args:
        folder: made when missing; what isn't an entry in it is passed over.
    """

    def __init__(self, folder: Path, *, limit: int = _LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._due: list[tuple[float, str]] = []
        self._ids: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.new"):
            leftover.unlink()
        for entry in self._entries():
            self._ids.add(entry.id)
            heapq.heappush(self._due, (entry.due, entry.id))

    def __len__(self) -> int:
        """How many there are, those that are being tried included."""
        return len(self._ids)

    def put(self, entry: Entry) -> None:
        """Keep an entry.

        Raises:
            FullError: there are too many.
            OSError: the disk is full.
        """
        if entry.id not in self._ids and len(self._ids) >= self._limit:
            raise FullError(f"{self._limit} entries are waiting")
        self._write(entry)
        self._ids.add(entry.id)
        heapq.heappush(self._due, (entry.due, entry.id))

    def again(self, entry: Entry) -> None:
        """Keep the new state of an entry that was taken, unless the queue was cleared since.

        On a full disk the file keeps the former state: after a restart it is tried sooner.
        """
        if entry.id in self._ids:
            with contextlib.suppress(OSError):
                self._write(entry)
            heapq.heappush(self._due, (entry.due, entry.id))

    def take(self, now: float) -> Entry | None:
        """The first that is due; it has to be given back by `again`, or removed."""
        while self._due and self._due[0][0] <= now:
            _, name = heapq.heappop(self._due)
            entry = self._read(name)
            if entry is not None:
                return entry
            self._ids.discard(name)
        return None

    def next_due(self) -> float | None:
        """World time at which there is something to do."""
        return self._due[0][0] if self._due else None

    def remove(self, name: str) -> None:
        """An entry is done."""
        self._file(name).unlink(missing_ok=True)
        self._ids.discard(name)

    def clear(self) -> None:
        """Forget everything."""
        for name in self._ids:
            self._file(name).unlink(missing_ok=True)
        self._ids.clear()
        self._due.clear()

    def _write(self, entry: Entry) -> None:
        file = self._file(entry.id)
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.msgpack.encode(entry))
        os.replace(new, file)

    def _entries(self) -> Iterator[Entry]:
        for file in sorted(self._folder.glob("*.entry")):
            if (entry := self._read(file.stem)) is not None:
                yield entry

    def _read(self, name: str) -> Entry | None:
        try:
            return msgspec.msgpack.decode(self._file(name).read_bytes(), type=Entry)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.entry"

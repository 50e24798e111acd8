"""A disk that loses power: what a program wrote and synced is recorded, and what may be left of it is made again.

The model is harsher than any file system: between two syncs, each sector of each write may or may not be on disk, a
file may be as long as it was or longer, with zeros, and each name may or may not be there. Only what a sync that ended
had found written is certain.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECTOR = 512
IGNORED = {"lock", "reserve"}


@dataclass(frozen=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    file: int
    size: int


@dataclass(frozen=True)
class Name:
    """A name leads to a file from here on, or, None, nowhere."""

    path: str
    file: int | None


@dataclass(frozen=True)
class Synced:
    """A sync ended; it had begun when there were `begun` events. Of a file, or, None, of the folder."""

    file: int | None
    begun: int


@dataclass(frozen=True)
class Mark:
    """Something that the program was promised, or began."""

    what: str
    about: Any


Event = Write | Truncate | Name | Synced | Mark
State = dict[str, bytes]


class RecordedDisk:
    """Records what is done to the files of a folder while it is `watched`."""

    def __init__(self, folder: Path) -> None:
        self.events: list[Event] = []
        self._folder = str(folder)
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}
        self._fds: dict[int, tuple[str, int]] = {}
        self._sizes: dict[int, int] = {}
        self._count = 0

    def mark(self, what: str, about: Any) -> None:
        self._add(Mark(what, about))

    def _add(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)

    def _mine(self, path: Any) -> str | None:
        text = os.fspath(path) if not isinstance(path, int) else ""
        name = text.removeprefix(self._folder + "/")
        return name if name != text and name not in IGNORED and "/" not in name else None

    @contextmanager
    def watched(self, patch: pytest.MonkeyPatch, rng: random.Random) -> Iterator[None]:
        """While this holds, every change is recorded; syncs take a little while."""
        real_open, real_writev, real_write, real_truncate = os.open, os.writev, os.write, os.ftruncate
        real_unlink, real_rename, real_close = os.unlink, os.rename, os.close
        real_sync = {"fsync": os.fsync, "fdatasync": os.fdatasync}

        def open_(path: Any, flags: int, *more: Any, **options: Any) -> int:
            name = self._mine(path)
            fresh = name is not None and bool(flags & os.O_CREAT) and not os.path.lexists(path)
            fd = real_open(path, flags, *more, **options)
            if name is not None:
                if fresh:
                    self._count += 1
                    self._files[name] = self._count
                    self._sizes[self._count] = 0
                    self._add(Name(name, self._count))
                self._fds[fd] = (name, self._files[name])
            elif not isinstance(path, int) and os.fspath(path) == self._folder:
                self._fds[fd] = ("", 0)
            return fd

        def close(fd: int) -> None:
            self._fds.pop(fd, None)
            real_close(fd)

        def wrote(fd: int, data: bytes) -> None:
            if fd in self._fds:
                file = self._fds[fd][1]
                self._add(Write(file, self._sizes[file], data))
                self._sizes[file] += len(data)

        def writev(fd: int, pieces: Any) -> int:
            count = real_writev(fd, pieces)
            wrote(fd, b"".join(pieces)[:count])
            return count

        def write(fd: int, data: Any) -> int:
            count = real_write(fd, data)
            wrote(fd, bytes(data)[:count])
            return count

        def truncate(fd: int, size: int) -> None:
            real_truncate(fd, size)
            if fd in self._fds:
                self._sizes[self._fds[fd][1]] = size
                self._add(Truncate(self._fds[fd][1], size))

        def sync(which: str, fd: int) -> None:
            known = self._fds.get(fd)
            begun = len(self.events)
            real_sync[which](fd)
            if known is not None:
                time.sleep(rng.choice((0.0, 0.0, 0.001)))
                self._add(Synced(known[1] or None, begun))

        def unlink(path: Any, **options: Any) -> None:
            real_unlink(path, **options)
            if (name := self._mine(path)) is not None and self._files.pop(name, None) is not None:
                self._add(Name(name, None))

        def rename(old: Any, new: Any, **options: Any) -> None:
            real_rename(old, new, **options)

        for name, function in (
            ("open", open_), ("close", close), ("writev", writev), ("write", write), ("ftruncate", truncate),
            ("unlink", unlink), ("rename", rename),
        ):  # fmt: skip
            patch.setattr(os, name, function)
        patch.setattr(os, "fsync", lambda fd: sync("fsync", fd))
        patch.setattr(os, "fdatasync", lambda fd: sync("fdatasync", fd))
        try:
            yield
        finally:
            patch.undo()


@dataclass
class _File:
    durable: bytes = b""
    pending: list[tuple[int, Write | Truncate]] = field(default_factory=list)


class PowerCut:
    """The disk as it may be after each event, one after the other."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._pending: list[tuple[int, Name]] = []

    def points(self) -> Iterator[tuple[int, Event]]:
        """Step by step; after each step `states` tells what may be left if the power fails there."""
        for index, event in enumerate(self._events):
            match event:
                case Write(file) | Truncate(file):
                    self._files.setdefault(file, _File()).pending.append((index, event))
                case Name(_, file):
                    if file is not None:
                        self._files.setdefault(file, _File())
                    self._pending.append((index, event))
                case Synced(None, begun):
                    for _, name in [item for item in self._pending if item[0] < begun]:
                        _enter(self._names, name)
                    self._pending = [item for item in self._pending if item[0] >= begun]
                case Synced(file, begun):
                    assert file is not None
                    found = self._files[file]
                    found.durable = _apply(found.durable, [op for at, op in found.pending if at < begun])
                    found.pending = [item for item in found.pending if item[0] >= begun]
            yield index, event

    def states(self, rng: random.Random, reorderings: int) -> Iterator[State]:
        """Nothing of what isn't certain; all of it (the process was killed, not the power); torn; and some of it."""
        yield self._state(lambda file: file.durable, lambda _: False)
        if not self._pending and not any(file.pending for file in self._files.values()):
            return
        yield self._state(lambda file: _apply(file.durable, [op for _, op in file.pending]), lambda _: True)
        yield self._state(lambda file: _torn(file, rng), lambda _: True)
        yield self._state(_zeroed, lambda _: True)
        for _ in range(reorderings):
            yield self._state(lambda file: _shuffled(file, rng), lambda _: rng.random() < 0.7)

    def _state(self, content: Any, kept: Any) -> State:
        names = dict(self._names)
        for _, name in self._pending:
            if kept(name):
                _enter(names, name)
        return {path: content(self._files[file]) for path, file in names.items()}


def _enter(names: dict[str, int], name: Name) -> None:
    if name.file is None:
        names.pop(name.path, None)
    else:
        names[name.path] = name.file


def _apply(content: bytes, operations: list[Write | Truncate]) -> bytes:
    octets = bytearray(content)
    for operation in operations:
        match operation:
            case Write(_, offset, data):
                octets.extend(bytes(max(0, offset - len(octets))))
                octets[offset : offset + len(data)] = data
            case Truncate(_, size):
                del octets[size:]
    return bytes(octets)


def _torn(file: _File, rng: random.Random) -> bytes:
    """The last write is cut anywhere."""
    whole = _apply(file.durable, [op for _, op in file.pending])
    if not file.pending:
        return whole
    before = len(_apply(file.durable, [op for _, op in file.pending[:-1]]))
    return whole[: rng.randint(min(before, len(whole)), len(whole))]


def _zeroed(file: _File) -> bytes:
    """The file has its length, and nothing in it."""
    whole = _apply(file.durable, [op for _, op in file.pending])
    return file.durable[: len(whole)] + bytes(max(0, len(whole) - len(file.durable)))


def _shuffled(file: _File, rng: random.Random) -> bytes:
    """Some sectors of some of the writes, with zeros between them."""
    whole = _apply(file.durable, [op for _, op in file.pending[: rng.randint(0, len(file.pending))]])
    if whole == file.durable:
        return whole
    octets = bytearray(file.durable[: len(whole)].ljust(len(whole), b"\0"))
    for start in range(0, len(whole), SECTOR):
        if rng.random() < 0.6:
            octets[start : start + SECTOR] = whole[start : start + SECTOR]
    if rng.random() < 0.5:
        # As long as the last sector that came to disk.
        while len(octets) > len(file.durable) and not octets[-1]:
            octets.pop()
    return bytes(octets)

"""Segments: the files of the log."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_SUFFIX = ".log"


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:016x}{_SUFFIX}"


def list_segments(folder: Path) -> list[int]:
    """The numbers of all segments, oldest first."""
    numbers = []
    for path in folder.glob(f"*{_SUFFIX}"):
        try:
            numbers.append(int(path.stem, 16))
        except ValueError:
            continue
    return sorted(numbers)


def sync_folder(folder: Path) -> None:
    """Make names in a folder survive power loss."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@dataclass(slots=True, eq=False)
class Segment:
    """One file of the log: how long it is, and how much of it is still wanted."""

    number: int
    path: Path
    size: int = 0
    live_messages: int = 0
    live_octets: int = 0
    records: int = 0


def sync_segments(segments: Iterable[Segment]) -> None:
    """Make segments durable that a process before this one wrote: it may have been killed before its own sync."""
    for segment in segments:
        fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)


def read_at(path: Path, offset: int, size: int) -> bytes:
    """Octets of a segment; fewer than `size` if it ends before.

    Raises:
        FileNotFoundError: the segment is gone.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while size > 0 and (piece := os.pread(fd, size, offset)):
            pieces.append(piece)
            offset += len(piece)
            size -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)

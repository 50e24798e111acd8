"""Walking a segment: its records in order, and what lies between them."""

import contextlib
import mmap
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postroad.spool.record import MAGIC, Record, RecordError, read_record
from postroad.spool.segment import segment_path, sync_folder

_WINDOW = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """Octets of a segment that are no record: a torn tail after a crash, or worse."""

    segment: int
    offset: int
    size: int
    reason: str
    message_stays: bool = False
    """Whether only a message's body is damaged: its envelope is known."""

    def __str__(self) -> str:
        return f"segment {self.segment:016x}: {self.size} octets at {self.offset}: {self.reason}"


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """A file's octets."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def scan(data: mmap.mmap | bytes, number: int, *, check_bodies: bool = False) -> Iterator[Record | Damage]:
    """All records of a segment in order, and what lies between them."""
    offset, size = 0, len(data)
    while offset < size:
        try:
            record = read_record(data, offset)
        except RecordError as error:
            following = _next_record(data, offset + 1)
            yield Damage(number, offset, following - offset, str(error))
            offset = following
            continue
        offset = record.end
        if check_bodies and record.body_size and zlib.crc32(data[record.body_offset : offset]) != record.body_check:
            yield Damage(number, record.offset, offset - record.offset, "wrong checksum of a message body", True)
            continue
        yield record


def _next_record(data: mmap.mmap | bytes, offset: int) -> int:
    """Where the next whole record begins; the end of the segment if there is none.

    It is searched for in copies: `mmap.find` of CPython before 3.11.4 reads an octet behind the end (gh-105235), and
    dies of it where a torn write has left whole pages.
    """
    while offset < len(data):
        at = data[offset : offset + _WINDOW + len(MAGIC) - 1].find(MAGIC)
        if at < 0:
            offset += _WINDOW
            continue
        offset += at
        try:
            read_record(data, offset)
        except RecordError:
            offset += 1
            continue
        return offset
    return len(data)


def keep_aside(folder: Path, damage: list[Damage]) -> list[Path]:
    """Copy damaged octets to `damaged/`, where nothing ever deletes them; copies that exist stay as they are."""
    kept = []
    aside = folder / "damaged"
    for item in damage:
        aside.mkdir(mode=0o700, exist_ok=True)
        path = aside / f"{item.segment:016x}-{item.offset}"
        if not path.exists():
            with segment_path(folder, item.segment).open("rb") as file:
                file.seek(item.offset)
                octets = file.read(item.size)
            with path.open("wb") as copy:
                copy.write(octets)
                copy.flush()
                os.fsync(copy.fileno())
            kept.append(path)
    if kept:
        sync_folder(aside)
        sync_folder(folder)
    return kept

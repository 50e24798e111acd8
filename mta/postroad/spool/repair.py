"""Repair: a damaged spool made whole. What can't be parsed is kept aside, and nothing else changes."""

import mmap
import os
from dataclasses import dataclass, field
from pathlib import Path

from postroad.spool.errors import SpoolError
from postroad.spool.identity import SpoolIdentity
from postroad.spool.lock import SpoolLock
from postroad.spool.record import RecordKind, encode_record
from postroad.spool.scan import Damage, keep_aside, mapped, scan
from postroad.spool.segment import list_segments, segment_path, sync_folder


@dataclass(slots=True)
class RepairReport:
    """What was done, a sentence each."""

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What stays as it is, and what becomes of it."""


def repair_spool(folder: Path) -> RepairReport:
    """Make every segment readable, with all records that are whole; octets that are none go to `damaged/`.

    A message whose body is damaged stays: its sender will be told that it can't be delivered.

    Raises:
        FileNotFoundError: there is no spool in the folder.
        SpoolInUseError: an MTA runs on it.
        OSError: the folder can't be read or written.
    """
    if not folder.is_dir() or not (list_segments(folder) or (folder / "damaged").is_dir()):
        raise FileNotFoundError(f"{folder} holds no spool: name the folder of [spool] path")
    lock = SpoolLock(folder)
    try:
        report = RepairReport()
        for number in list_segments(folder):
            _repair_segment(folder, number, report)
        _repair_identity(folder, report)
        return report
    finally:
        lock.release()


def _repair_segment(folder: Path, number: int, report: RepairReport) -> None:
    path = segment_path(folder, number)
    try:
        with mapped(path) as data:
            damage = [found for found in scan(data, number, check_bodies=True) if isinstance(found, Damage)]
            if not damage:
                return
            kept = keep_aside(folder, damage)
            broken = [item for item in damage if not item.message_stays]
            if broken:
                _write_whole(path, number, data, broken)
    except OSError as error:
        aside = _move_aside(folder, path)
        report.done.append(f"{path.name} can't be read ({error.strerror}): moved to {aside}, with all that it holds")
        return
    names = ", ".join(str(item.relative_to(folder)) for item in kept) or "copies that were there already"
    if broken:
        octets = sum(item.size for item in broken)
        report.done.append(f"{path.name}: {octets} octets that are no records taken out, kept as {names}")
    for item in damage:
        if item.message_stays:
            report.left.append(
                f"{path.name}: the message at {item.offset} has a damaged body, copied to damaged/: "
                "it will bounce, and its sender be told"
            )


def _write_whole(path: Path, number: int, data: mmap.mmap | bytes, broken: list[Damage]) -> None:
    """Put a segment without its damaged parts in the place of the whole one.

    It says nothing any more of the segments before it: what said so may be among what is gone.
    """
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(encode_record(RecordKind.SEGMENT, number))
        gone = {item.offset for item in broken}
        for found in scan(data, number):
            if not isinstance(found, Damage) and found.offset not in gone and found.kind is not RecordKind.SEGMENT:
                file.write(data[found.offset : found.end])
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    sync_folder(path.parent)


def _move_aside(folder: Path, path: Path) -> Path:
    aside = folder / "damaged"
    aside.mkdir(mode=0o700, exist_ok=True)
    target = aside / path.name
    count = 1
    while target.exists():
        count += 1
        target = aside / f"{path.name}-{count}"
    path.rename(target)
    sync_folder(aside)
    sync_folder(folder)
    return target.relative_to(folder)


def _repair_identity(folder: Path, report: RepairReport) -> None:
    path = folder / "identity"
    if not path.exists():
        return
    try:
        SpoolIdentity(folder)()
    except SpoolError:
        aside = _move_aside(folder, path)
        report.done.append(f"identity is none: moved to {aside}, a new one is made when a drain asks for it")
        report.left.append("what was offered to other MTAs under the old identity may be asked for again by hand")

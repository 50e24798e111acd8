"""Recovery: from the segments on disk to the messages that are still to be delivered."""

import mmap
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from postroad.spool.message import Location, Message
from postroad.spool.record import (
    MAGIC,
    Record,
    RecordError,
    RecordKind,
    decode_message_meta,
    decode_outcome_meta,
    read_record,
)
from postroad.spool.schedule import Schedule, plan_deliveries, replay_outcome
from postroad.spool.segment import Segment, list_segments, segment_path, sync_folder
from postroad.spool.standing import Standing


@dataclass(frozen=True, slots=True)
class Damage:
    """Octets of a segment that are no record: a torn tail after a crash, or worse."""

    segment: int
    offset: int
    size: int
    reason: str

    def __str__(self) -> str:
        return f"segment {self.segment:016x}: {self.size} octets at {self.offset}: {self.reason}"


@dataclass(slots=True)
class Recovered:
    """What a spool holds."""

    messages: dict[int, Message] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    standing: Standing = field(default_factory=Standing)
    highest_id: int = 0
    records: int = 0


def read_spool(folder: Path, *, check_bodies: bool = False) -> Recovered:
    """Read all segments of a spool; nothing is changed.

    The newest segment's bodies are always checked against their checksums (a crash tears only there); older
    ones' too with `check_bodies`.
    """
    recovered = Recovered()
    schedules: dict[int, list[Schedule]] = {}
    numbers = list_segments(folder)
    for number in numbers:
        path = segment_path(folder, number)
        segment = Segment(number, path)
        recovered.segments.append(segment)
        with path.open("rb") as file:
            segment.size = os.fstat(file.fileno()).st_size
            if segment.size == 0:
                continue
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                check = check_bodies or number == numbers[-1]
                for found in scan(memoryview(data), number, check_bodies=check):
                    if isinstance(found, Damage):
                        recovered.damage.append(found)
                    else:
                        _replay(found, number, recovered, schedules)
    _plan_deliveries(recovered, schedules)
    by_number = {segment.number: segment for segment in recovered.segments}
    for message in recovered.messages.values():
        assert message.location is not None
        segment = by_number[message.location.segment]
        segment.live_messages += 1
        segment.live_octets += message.size
    return recovered


def scan(data: memoryview, number: int, *, check_bodies: bool) -> Iterator[Record | Damage]:
    """All records of a segment in order, and what lies between them."""
    try:
        yield from _scan(data, number, check_bodies)
    finally:
        data.release()


def _scan(data: memoryview, number: int, check_bodies: bool) -> Iterator[Record | Damage]:
    offset = 0
    while offset < len(data):
        try:
            record = read_record(data, offset)
        except RecordError as error:
            following = _next_record(data, offset + 1)
            yield Damage(number, offset, following - offset, str(error))
            offset = following
            continue
        if check_bodies and record.body_size:
            body = data[record.body_offset : record.end]
            intact = zlib.crc32(body) == record.body_check
            body.release()
            if not intact:
                yield Damage(number, offset, record.end - offset, "wrong checksum of a message body")
                offset = record.end
                continue
        yield record
        offset = record.end


def _next_record(data: memoryview, offset: int) -> int:
    """Where the next whole record begins; the end of the segment if there is none."""
    window = 1 << 20
    while offset < len(data):
        chunk = bytes(data[offset : offset + window + len(MAGIC) - 1])
        at = chunk.find(MAGIC)
        if at < 0:
            offset += window
            continue
        try:
            read_record(data, offset + at)
        except RecordError:
            offset += at + 1
            continue
        return offset + at
    return len(data)


def _replay(record: Record, segment: int, recovered: Recovered, schedules: dict[int, list[Schedule]]) -> None:
    recovered.records += 1
    try:
        match record.kind:
            case RecordKind.MESSAGE:
                _replay_message(record, segment, recovered, schedules)
            case RecordKind.OUTCOME:
                _replay_outcome(record, schedules)
            case RecordKind.FINISHED:
                for schedule in schedules.get(record.id, ()):
                    schedule.done = True
            case RecordKind.OFFERED:
                recovered.highest_id = max(recovered.highest_id, record.id)
                recovered.standing.replay(record)
            case _:
                recovered.standing.replay(record)
    except (msgspec.DecodeError, IndexError) as error:
        # The checksum held, so this was written as it is: a fault of a release, not of the disk. Keep it aside.
        recovered.damage.append(Damage(segment, record.offset, record.end - record.offset, f"unreadable meta: {error}"))


def _replay_message(record: Record, segment: int, recovered: Recovered, schedules: dict[int, list[Schedule]]) -> None:
    meta = decode_message_meta(record.meta)
    recovered.highest_id = max(recovered.highest_id, record.id)
    location = Location(segment, record.body_offset, record.body_size, record.body_check)
    known = recovered.messages.get(record.id)
    if known is not None:
        # Compaction copied it: the body has moved, what is known of its recipients stays.
        known.location = location
        return
    if meta.origin is not None:
        recovered.standing.took(meta.origin)
    recovered.messages[record.id] = Message(
        record.id,
        meta.received,
        meta.sender,
        meta.recipients,
        record.body_size,
        meta.eight_bit,
        meta.smtputf8,
        location,
        accepted_as=meta.accepted_as,
        tenant=meta.tenant,
        campaign=meta.campaign,
        dsn=meta.dsn,
    )
    schedules[record.id] = planned = [Schedule(due=meta.received) for _ in meta.recipients]
    for outcome in meta.state:
        replay_outcome(planned, outcome)


def _replay_outcome(record: Record, schedules: dict[int, list[Schedule]]) -> None:
    schedule = schedules.get(record.id)
    if schedule is None:
        return  # of a message whose segment is gone: it was finished
    replay_outcome(schedule, decode_outcome_meta(record.meta))


def _plan_deliveries(recovered: Recovered, schedules: dict[int, list[Schedule]]) -> None:
    for id, message in list(recovered.messages.items()):
        plan_deliveries(message, schedules[id])
        if not message.deliveries:
            del recovered.messages[id]


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

"""Recovery: from the segments on disk to the messages that are still to be delivered."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

import msgspec

from postroad.spool.message import Delivery, Location, Message
from postroad.spool.record import Record, RecordKind, decode_message_meta, decode_outcome_meta
from postroad.spool.scan import Damage, mapped, scan
from postroad.spool.schedule import Schedule, plan_deliveries, replay_outcome
from postroad.spool.segment import Segment, list_segments, segment_path
from postroad.spool.standing import Standing, taken_by

_TRIES = 5
"""A running MTA may remove a segment between a look at the folder and the reading of it."""
_PAUSE = 64
"""Records that are replayed without a pause."""


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

    The newest segment's bodies are always checked against their checksums; older ones' too with `check_bodies`.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(FileNotFoundError):
            return _read_spool(folder, check_bodies)
    return _read_spool(folder, check_bodies)


def _read_spool(folder: Path, check_bodies: bool) -> Recovered:
    segments = found_segments(folder)
    replay = Replay(segments, check_from=0 if check_bodies else max((item.number for item in segments), default=0))
    for _ in replay.run():
        pass
    return replay.recovered


def found_segments(folder: Path) -> list[Segment]:
    """The segments on disk, oldest first."""
    paths = [(number, segment_path(folder, number)) for number in list_segments(folder)]
    return [Segment(number, path, path.stat().st_size) for number, path in paths]


class Replay:
    """Reads segments, oldest first, as they were when it was made.

    Args:
        check_from: bodies in this segment and later ones are checked against their checksums: a crash may have torn
            them.
    """

    def __init__(self, segments: list[Segment], *, check_from: int) -> None:
        self.recovered = Recovered(segments=segments)
        self._messages = self.recovered.messages
        self._check_from = check_from
        # Of messages with several recipients; others need no more than their one delivery.
        self._schedules: dict[int, list[Schedule]] = {}
        # What many messages have in common is kept once.
        self._domains: dict[bytes, bytes] = {}
        self._replies: dict[str, str] = {}
        self._sender = b""

    def run(self) -> Iterator[None]:
        """Read, with pauses; `recovered` is whole when it ends."""
        for segment in self.recovered.segments:
            yield from self._read(segment)
        for id, schedules in self._schedules.items():
            message = self._messages[id]
            plan_deliveries(message, schedules)
            if not message.deliveries:
                del self._messages[id]
            yield

    def _read(self, segment: Segment) -> Iterator[None]:
        number = segment.number
        count = 0
        with mapped(segment.path) as data:
            for found in scan(data, number, check_bodies=number >= self._check_from):
                if isinstance(found, Damage):
                    self.recovered.damage.append(found)
                    continue
                try:
                    self._replay(found, number)
                except (msgspec.DecodeError, IndexError, ValueError) as error:  # text may be no UTF-8
                    # The checksum held, so this was written as it is: a fault of a release, not of the disk.
                    reason = f"unreadable meta: {error}"
                    self.recovered.damage.append(Damage(number, found.offset, found.end - found.offset, reason))
                count += 1
                if count % _PAUSE == 0:
                    yield
        self.recovered.records += count
        segment.records = count

    def _replay(self, record: Record, segment: int) -> None:
        kind = record.kind
        if kind is RecordKind.MESSAGE:
            self._replay_message(record, segment)
        elif kind is RecordKind.OUTCOME:
            self._replay_outcome(record)
        elif kind is RecordKind.FINISHED:
            self._finished(record.id)
        else:
            if kind is RecordKind.SETTLED:
                for id in taken_by(record):
                    self._finished(id)
            if kind is RecordKind.OFFERED:
                self.recovered.highest_id = max(self.recovered.highest_id, record.id)
            self.recovered.standing.replay(record)

    def _finished(self, id: int) -> None:
        # A message is never copied once it is finished, so nothing can bring it back.
        self._messages.pop(id, None)
        self._schedules.pop(id, None)

    def _replay_message(self, record: Record, segment: int) -> None:
        meta = decode_message_meta(record.meta)
        for due in (meta.received, *(outcome.due for outcome in meta.state)):
            _check_time(due)
        id = record.id
        if id > self.recovered.highest_id:
            self.recovered.highest_id = id
        location = Location(segment, record.body_offset, record.body_size, record.body_check)
        known = self._messages.get(id)
        if known is not None:
            # It was copied: the body has moved, and it may be another's now; what is known of its recipients stays.
            known.location = location
            known.tenant, known.campaign = meta.tenant, meta.campaign
            return
        if meta.origin is not None:
            self.recovered.standing.took(meta.origin)
        if meta.sender != self._sender:
            self._sender = meta.sender
        message = self._messages[id] = Message(
            id,
            meta.received,
            self._sender,
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
        if len(meta.recipients) == 1 and not meta.state:
            domain = meta.recipients[0].rpartition(b"@")[2].lower()
            domain = self._domains.setdefault(domain, domain)
            message.deliveries = (Delivery(message, domain, _ONLY, due=meta.received),)
            return
        self._schedules[id] = planned = [Schedule(due=meta.received) for _ in meta.recipients]
        for outcome in meta.state:
            replay_outcome(planned, outcome)

    def _replay_outcome(self, record: Record) -> None:
        message = self._messages.get(record.id)
        if message is None:
            return  # it was finished, or its segment is gone because it was
        outcome = decode_outcome_meta(record.meta)
        _check_time(outcome.due)
        if not message.deliveries:
            replay_outcome(self._schedules[record.id], outcome)
        elif outcome.deferred == _ONLY and not (outcome.delivered or outcome.bounced):
            delivery = message.deliveries[0]
            delivery.attempts, delivery.due = outcome.attempts, outcome.due
            delivery.reply = self._replies.setdefault(outcome.reply, outcome.reply)
        else:
            alone = [Schedule()]
            replay_outcome(alone, outcome)
            if alone[0].done:
                del self._messages[record.id]


def _check_time(due: float) -> None:
    """Raises ValueError unless it is a time that something can wait for."""
    if not isfinite(due):
        raise ValueError(f"time {due}")


_ONLY = (0,)
"""The recipients of a delivery of a message with one."""

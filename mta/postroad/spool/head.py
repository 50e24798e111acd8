"""What a spool must know before it takes mail: the ids given out, what stands, and what a crash may have torn."""

from dataclasses import dataclass, field

import msgspec

from postroad.spool.record import Record, RecordKind, SegmentMeta, decode_message_meta, decode_segment_meta
from postroad.spool.scan import Damage, mapped, scan
from postroad.spool.segment import Segment
from postroad.spool.standing import Standing


@dataclass(slots=True)
class SpoolHead:
    """The facts of the newest segments."""

    standing: Standing = field(default_factory=Standing)
    highest_id: int = 0
    settled: int = 0
    """Segments with a lower number can't have been torn by a crash."""


def read_head(segments: list[Segment]) -> SpoolHead:
    """The facts, from a segment that says all of what was before it and those after it; from all if none does.

    So mail can be taken while the rest of the log is still being read. What a segment leaves out counts only if all
    before it were whole on disk: an end that was recorded there may be torn off.
    """
    head = SpoolHead()
    first = 0
    settled: int | None = None
    for index in range(len(segments) - 1, -1, -1):
        if (meta := _first_words(segments[index])) is None:
            continue
        if settled is None:
            settled = head.settled = meta.settled
        if segments[index].number < settled:
            head.highest_id = meta.highest_id
            first = index
            break
    for segment in segments[first:]:
        with mapped(segment.path) as data:
            for found in scan(data, segment.number):
                if not isinstance(found, Damage):
                    _take(found, head)
    return head


def _first_words(segment: Segment) -> SegmentMeta | None:
    """What a segment says of those before it, if all of that is there."""
    with mapped(segment.path) as data:
        records = scan(data, segment.number)
        first = next(records, None)
        if first is None or isinstance(first, Damage) or first.kind is not RecordKind.SEGMENT or not first.meta:
            return None
        try:
            meta = decode_segment_meta(first.meta)
        except (msgspec.DecodeError, ValueError):
            return None
        end = first.end
        while end < first.end + meta.standing:
            record = next(records, None)
            if record is None or isinstance(record, Damage):
                return None
            end = record.end
        return meta


def _take(record: Record, head: SpoolHead) -> None:
    try:
        if record.kind is RecordKind.SEGMENT and record.meta:
            head.highest_id = max(head.highest_id, decode_segment_meta(record.meta).highest_id)
        elif record.kind is RecordKind.MESSAGE:
            head.highest_id = max(head.highest_id, record.id)
            if (origin := decode_message_meta(record.meta).origin) is not None:
                head.standing.took(origin)
        elif record.kind is RecordKind.OFFERED:
            head.highest_id = max(head.highest_id, record.id)
            head.standing.replay(record)
        else:
            head.standing.replay(record)
    except (msgspec.DecodeError, ValueError):  # of text that isn't UTF-8 too
        pass  # recovery keeps it aside

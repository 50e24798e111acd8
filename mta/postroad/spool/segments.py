"""All segments of a spool, and which messages lie in each."""

from collections.abc import Iterable
from pathlib import Path

from postroad.spool.message import Location, Message
from postroad.spool.segment import Segment


class SegmentTable:
    """The segments, oldest first, with what each still has to keep.

    Args:
        segments: those on disk, their live counts already set.
        messages: what lies in them, each with its location.
    """

    def __init__(self, segments: list[Segment], messages: Iterable[Message]) -> None:
        self._segments = segments
        self._by_number = {segment.number: segment for segment in segments}
        self._residents: dict[int, dict[int, Message]] = {segment.number: {} for segment in segments}
        for message in messages:
            assert message.location is not None
            self._residents[message.location.segment][message.id] = message

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def octets(self) -> int:
        """Size of all segments."""
        return sum(segment.size for segment in self._segments)

    @property
    def live_octets(self) -> int:
        """Size of the messages that are not finished."""
        return sum(segment.live_octets for segment in self._segments)

    @property
    def wanted(self) -> bool:
        """Whether any message is not finished."""
        return any(segment.live_messages for segment in self._segments)

    @property
    def oldest(self) -> Segment:
        """The first to be emptied."""
        return self._segments[0]

    @property
    def last_number(self) -> int:
        """The number of the newest; 0 if there is none."""
        return self._segments[-1].number if self._segments else 0

    def add(self, segment: Segment) -> None:
        """A new segment was begun."""
        self._segments.append(segment)
        self._by_number[segment.number] = segment
        self._residents[segment.number] = {}

    def path_of(self, location: Location) -> Path:
        """The file of a location."""
        return self._by_number[location.segment].path

    def residents(self, segment: Segment) -> list[Message]:
        """The messages in a segment that are not finished."""
        return list(self._residents[segment.number].values())

    def place(self, message: Message, location: Location) -> None:
        """The message lies here now, and no longer where it lay before."""
        if message.location is not None:
            self.forget(message)
        message.location = location
        segment = self._by_number[location.segment]
        self._residents[segment.number][message.id] = message
        segment.live_messages += 1
        segment.live_octets += message.size

    def forget(self, message: Message) -> None:
        """The message's octets at its present place are no longer wanted."""
        assert message.location is not None
        segment = self._by_number[message.location.segment]
        if self._residents[segment.number].pop(message.id, None) is not None:
            segment.live_messages -= 1
            segment.live_octets -= message.size

    def take_unwanted(self, current: Segment | None) -> list[Path]:
        """Drop the oldest segments as far as nothing in them is wanted; their files. `current` always stays."""
        dropped = []
        while self._segments:
            segment = self._segments[0]
            if segment is current or segment.live_messages:
                break
            self._segments.pop(0)
            del self._by_number[segment.number], self._residents[segment.number]
            dropped.append(segment.path)
        return dropped

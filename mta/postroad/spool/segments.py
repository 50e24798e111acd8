"""All segments of a spool, and which messages lie in each."""

from array import array
from collections.abc import Mapping
from pathlib import Path

from postroad.spool.message import Location, Message
from postroad.spool.segment import Segment


class SegmentTable:
    """The segments, oldest first, with what each still has to keep.

    Args:
        segments: those on disk.
        messages: all that are not finished, by id.
    """

    def __init__(self, segments: list[Segment], messages: Mapping[int, Message]) -> None:
        self._segments = segments
        self._by_number = {segment.number: segment for segment in segments}
        self._messages = messages
        # Every id that was ever put into a segment: eight octets each, and few segments are ever asked for theirs.
        self._ids: dict[int, array[int]] = {segment.number: array("Q") for segment in segments}
        self._older_octets = sum(segment.size for segment in segments[:-1])
        self.records = 0
        """Records in all segments."""
        self.live_octets = 0
        """Size of the messages that are not finished."""

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def octets(self) -> int:
        """Size of all segments."""
        return self._older_octets + self._segments[-1].size if self._segments else 0

    @property
    def oldest(self) -> Segment:
        """The first to be emptied."""
        return self._segments[0]

    @property
    def last_number(self) -> int:
        """The number of the newest; 0 if there is none."""
        return self._segments[-1].number if self._segments else 0

    def add(self, segment: Segment) -> None:
        """A new segment was begun; the one before grows no more."""
        if self._segments:
            self._older_octets += self._segments[-1].size
        self._segments.append(segment)
        self._by_number[segment.number] = segment
        self._ids[segment.number] = array("Q")

    def count(self, segment: Segment, records: int) -> None:
        """So many more records are in a segment."""
        segment.records += records
        self.records += records

    def path_of(self, location: Location) -> Path:
        """The file of a location."""
        return self._by_number[location.segment].path

    def residents(self, segment: Segment) -> list[Message]:
        """The messages in a segment that are not finished."""
        found = (self._messages.get(id) for id in self._ids[segment.number])
        return [
            message
            for message in found
            if message is not None and message.location is not None and message.location.segment == segment.number
        ]

    def place(self, message: Message, location: Location) -> None:
        """The message lies here now, and no longer where it lay before."""
        if message.location is not None:
            self.forget(message)
        message.location = location
        self.keep(message)

    def keep(self, message: Message) -> None:
        """The message's octets at its present place are wanted."""
        assert message.location is not None
        segment = self._by_number[message.location.segment]
        self._ids[segment.number].append(message.id)
        segment.live_messages += 1
        segment.live_octets += message.size
        self.live_octets += message.size

    def forget(self, message: Message) -> None:
        """The message's octets at its present place are no longer wanted."""
        assert message.location is not None
        segment = self._by_number[message.location.segment]
        segment.live_messages -= 1
        segment.live_octets -= message.size
        self.live_octets -= message.size

    def take_unwanted(self, current: Segment | None) -> list[Path]:
        """Drop the oldest segments as far as nothing in them is wanted; their files. `current` always stays."""
        dropped = []
        while self._segments:
            segment = self._segments[0]
            if segment is current or segment.live_messages:
                break
            self._segments.pop(0)
            del self._by_number[segment.number], self._ids[segment.number]
            self.records -= segment.records
            if self._segments:
                self._older_octets -= segment.size
            dropped.append(segment.path)
        return dropped

"""When the oldest segment is worth rewriting, and how that is done."""

import asyncio
from collections.abc import Callable

from postroad.spool.message import Message
from postroad.spool.segment import read_at
from postroad.spool.segments import SegmentTable

SEGMENTS_FREE = 4
"""So many full segments may lie around before anything is rewritten."""


RECORDS_PER_MESSAGE = 4
RECORDS_FREE = 200_000
"""So many records more than that are read in a second."""


def should_compact(
    *, segments: int, octets: int, live_octets: int, segment_size: int, records: int, live_messages: int
) -> bool:
    """Whether to move what still lives in the oldest segment to the newest and remove it.

    Segments go oldest first (an outcome may lie in any later segment than its message), so one old message holds
    all that follow it. Rewriting when less than half is wanted costs each message at most one copy per halving.
    Each attempt that fails leaves a record; their number is bounded too, as a start reads them all.
    """
    if segments < 2:
        return False
    if octets > 2 * live_octets + SEGMENTS_FREE * segment_size:
        return True
    if records > RECORDS_PER_MESSAGE * live_messages + RECORDS_FREE:
        return True
    # Restarts leave small segments: bound their number too.
    return segments > 64 + 2 * (live_octets // segment_size)


class Compactor:
    """Copies what lives in the oldest segment, so that it can go; one segment at a time.

    Args:
        copy: writes a message with this body to the newest segment.
    """

    def __init__(self, table: SegmentTable, copy: Callable[[Message, bytes], None], *, segment_size: int) -> None:
        self._table = table
        self._copy = copy
        self._segment_size = segment_size
        self._task: asyncio.Task[None] | None = None
        self.busy = False

    def look(self, live_messages: int) -> None:
        """Begin if it is worth it."""
        table = self._table
        if not self.busy and should_compact(
            segments=len(table),
            octets=table.octets,
            live_octets=table.live_octets,
            segment_size=self._segment_size,
            records=table.records,
            live_messages=live_messages,
        ):
            self.busy = True
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        oldest = self._table.oldest
        loop = asyncio.get_running_loop()
        try:
            for message in self._table.residents(oldest):
                location = message.location
                assert location is not None
                body = await loop.run_in_executor(None, read_at, oldest.path, location.offset, location.size)
                if message.deliveries:
                    # A damaged body is copied with its old checksum: it stays detectable.
                    self._copy(message, body)
        finally:
            self.busy = False

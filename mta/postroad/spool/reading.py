"""Reading what the log held at the start, while new mail is already taken."""

import asyncio
import gc
import time
from collections.abc import Callable, Generator
from pathlib import Path

from postroad.spool.message import Message
from postroad.spool.recovery import Recovered, Replay
from postroad.spool.scan import keep_aside
from postroad.spool.segments import SegmentTable

_PAUSE = 256
"""Messages that are taken into the table without a pause."""
_MANY = 10_000
"""Messages that the garbage collector needn't look at."""
_SLICE = 0.01
"""Seconds after which others have their turn."""


class Reading:
    """Replays the segments of before, once.

    Args:
        table: gets to know which messages its segments hold.
        messages: gets them, by id.
        over: called when all is known.
    """

    def __init__(
        self,
        folder: Path,
        replay: Replay,
        table: SegmentTable,
        messages: dict[int, Message],
        over: Callable[[], None],
    ) -> None:
        self.recovered: Recovered = replay.recovered
        self._steps: Generator[None, None, None] | None = self._read(folder, replay, table, messages)
        self._over = over

    @property
    def going_on(self) -> bool:
        """Whether there is more to be read."""
        return self._steps is not None

    async def finish(self) -> list[Message]:
        """Read the rest in slices; the messages, given once."""
        if self._steps is not None:
            pause = time.monotonic() + _SLICE
            for _ in self._steps:
                if time.monotonic() > pause:
                    await asyncio.sleep(0)
                    pause = time.monotonic() + _SLICE
        return self.finish_at_once()

    def finish_at_once(self) -> list[Message]:
        """The same without turns for others."""
        if self._steps is not None:
            for _ in self._steps:
                pass
        messages = list(self.recovered.messages.values())
        self.recovered.messages.clear()
        return messages

    def give_up(self) -> None:
        """Read no more: the next start reads it all again."""
        if self._steps is not None:
            self._steps.close()

    def _read(
        self, folder: Path, replay: Replay, table: SegmentTable, messages: dict[int, Message]
    ) -> Generator[None, None, None]:
        # None of the many objects that are made is garbage, and looking for some would take longer than making them.
        collecting = gc.isenabled()
        gc.disable()
        try:
            yield from replay.run()
            keep_aside(folder, replay.recovered.damage)
            table.records += replay.recovered.records
            for count, message in enumerate(replay.recovered.messages.values(), 1):
                table.keep(message)
                messages[message.id] = message
                if count % _PAUSE == 0:
                    yield
            if len(messages) > _MANY:
                gc.freeze()  # they stay for long, and a look at them all takes a second
        finally:
            if collecting:
                gc.enable()
        self._steps = None
        self._over()

"""Keeping the garbage collector from looking at what isn't garbage: a million queued messages take it a second."""

import asyncio
import gc
from collections.abc import Callable

_INTERVAL = 5.0
_STEP = 50_000
"""Messages more than at the last time before it is worth it."""


class LongLived:
    """Freezes all objects whenever many messages have come to stay.

    Messages that are finished are freed all the same: nothing of them refers to itself then. A cycle that was garbage
    at such a moment stays; that is bounded by what is under way at the time.

    Args:
        messages: how many are queued.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, messages: Callable[[], int]) -> None:
        self._loop = loop
        self._messages = messages
        self._frozen = 0
        self._look()

    def _look(self) -> None:
        self._loop.call_later(_INTERVAL, self._look)
        count = self._messages()
        if count > self._frozen + _STEP:
            gc.freeze()
            self._frozen = count
        elif count < self._frozen - _STEP:
            self._frozen = count

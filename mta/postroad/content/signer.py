"""Signatures made off the event loop: one by RSA takes a quarter of a millisecond, in which it can serve others."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue

from postroad.content.dkim import Unsigned

MAX_THREADS = 4
"""One signs about as many messages as a loop can hand over; more are for domains with several or longer keys."""

Done = Callable[[list[bytes] | Exception], None]
"""Takes the fields, or what went wrong with one of them."""
_Job = tuple[Sequence[Unsigned], Done]
_TOGETHER = 4
"""Messages whose signatures the loop is told about at once, at the most: the first waits for the last."""


class Signer:
    """Threads that sign. `cryptography` lets other threads of Python run while it computes with RSA."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def sign(self, unsigned: Sequence[Unsigned], done: Done) -> None:
        """Sign with the key of each; `done` is called once, at once if that takes no time, else later on the loop."""
        if all(each.quick for each in unsigned):
            done(_signed(unsigned))
            return
        if not self._threads:
            self._start()
        self._jobs.put((unsigned, done))

    def close(self) -> None:
        """Sign nothing more; whose signatures aren't made by now is not told."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        # One core is the loop's: more threads than the others would only take it from there.
        for _ in range(max(1, min(MAX_THREADS, len(os.sched_getaffinity(0)) - 1))):
            thread = threading.Thread(target=self._run, name="dkim-sign", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        going_on = True
        while going_on:
            made: list[tuple[Done, list[bytes] | Exception]] = []
            for job in self._take():
                if job is None:
                    going_on = False
                elif not self._closed:
                    made.append((job[1], _signed(job[0])))
            if made:
                self._loop.call_soon_threadsafe(self._tell, made)

    def _take(self) -> Iterator[_Job | None]:
        """Wait for a job; what waits behind it is told with it, so that the loop is woken once for all."""
        yield (job := self._jobs.get())
        with contextlib.suppress(Empty):
            for _ in range(_TOGETHER - 1):
                if job is None:
                    return  # what is behind it is for another thread
                yield (job := self._jobs.get_nowait())

    def _tell(self, made: Iterable[tuple[Done, list[bytes] | Exception]]) -> None:
        for done, fields in made:
            if self._closed:
                return
            done(fields)


def _signed(unsigned: Iterable[Unsigned]) -> list[bytes] | Exception:
    try:
        return [each.signed() for each in unsigned]
    except Exception as error:  # noqa: BLE001  whatever it was, somebody waits for an answer
        return error

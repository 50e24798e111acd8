"""Signatures made off the event loop where there are cores to spare: one by RSA takes a quarter of a millisecond."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, SimpleQueue

from postroad.content.dkim import Unsigned

MAX_THREADS = 4
"""One signs about as many messages as a loop can hand over; more are for domains with several or longer keys."""

_NEEDED_CORES = 2
"""The loop's, and one for the kernel, the spool's syncs and who else is on the machine: on two cores a thread that
signs takes the loop's time, and its turns at the interpreter's lock with it (ADR 24)."""

Done = Callable[[list[bytes] | Exception], None]
"""Takes the fields, or what went wrong with one of them."""
_Job = tuple[Sequence[Unsigned], Done]
_TOGETHER = 4
"""Messages whose signatures the loop is told about at once, at the most: the first waits for the last."""


def spare_threads(cores: int) -> int:
    """How many threads sign on a machine of so many cores; 0 means that the loop does."""
    return max(0, min(MAX_THREADS, cores - _NEEDED_CORES))


class Signer:
    """Threads that sign. `cryptography` lets other threads of Python run while it computes with RSA.

    Args:
        threads: how many; with 0 everything is signed at once, on the loop.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._wanted = spare_threads(len(os.sched_getaffinity(0))) if threads is None else threads
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def sign(self, unsigned: Sequence[Unsigned], done: Done) -> None:
        """Sign with the key of each; `done` is called once, at once if that takes no time, else later on the loop."""
        if not self._wanted or all(each.quick for each in unsigned):
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
        for _ in range(self._wanted):
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

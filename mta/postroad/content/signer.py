"""Signatures made off the event loop: one by RSA takes a quarter of a millisecond, in which it can serve others."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from postroad.content.dkim import Unsigned

THREADS = 2
"""One signs about as many messages as a loop can hand over; two keep up where a domain has several RSA keys."""

Done = Callable[[list[bytes] | Exception], None]
"""Takes the fields, or what went wrong with one of them."""


class Signer:
    """Threads that sign. `cryptography` lets other threads of Python run while it computes with RSA."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Sequence[Unsigned], Done] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def sign(self, unsigned: Sequence[Unsigned], done: Done) -> None:
        """Sign with the key of each; `done` is called once, at once if that takes no time, else later on the loop."""
        if all(each.quick for each in unsigned):
            done([each.signed() for each in unsigned])
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
        for _ in range(THREADS):
            thread = threading.Thread(target=self._run, name="dkim-sign", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._closed:
                continue
            unsigned, done = job
            made: list[bytes] | Exception
            try:
                made = [each.signed() for each in unsigned]
            except Exception as error:  # noqa: BLE001  whatever it was, somebody waits for an answer
                made = error
            self._loop.call_soon_threadsafe(self._tell, done, made)

    def _tell(self, done: Done, made: list[bytes] | Exception) -> None:
        if not self._closed:
            done(made)

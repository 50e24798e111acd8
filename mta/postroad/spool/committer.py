"""Group commit: one fdatasync for all who wait, in a thread of its own."""

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from postroad.spool.segment import sync_folder


@dataclass(slots=True)
class SyncJob:
    """What one round makes durable, in this order: files, the folder's names; then what it removes."""

    sync: list[int]
    close: list[int] = field(default_factory=list)
    folder: Path | None = None
    remove: list[Path] = field(default_factory=list)


class Committer:
    """Runs sync jobs one after another off the event loop.

    Args:
        done: called on the loop after each job.
        failed: called **in the thread** with the error of a sync. What was written may be gone although a second
            sync would report success (the kernel drops the dirty pages), so the only safe answer is to end the process.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, done: Callable[[], None], failed: Callable[[OSError], None]
    ) -> None:
        self._loop = loop
        self._done = done
        self._failed = failed
        self._jobs: queue.SimpleQueue[SyncJob | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def submit(self, job: SyncJob) -> None:
        """Queue a job; the first one starts the thread."""
        self._jobs.put(job)
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._run, name="spool-commit", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish what is queued and end the thread; what comes later isn't done."""
        self._stopped = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                for fd in job.sync:
                    os.fdatasync(fd)
                if job.folder is not None:
                    sync_folder(job.folder)
            except OSError as error:
                self._failed(error)
                return
            for fd in job.close:
                os.close(fd)
            self._remove(job)
            self._loop.call_soon_threadsafe(self._done)

    def _remove(self, job: SyncJob) -> None:
        """Oldest first, each for good before the next: a message must not come back when the record of its end is gone.

        A failure is no fault of what was synced: the next start finds the files and removes them again.
        """
        with contextlib.suppress(OSError):
            for path in job.remove:
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

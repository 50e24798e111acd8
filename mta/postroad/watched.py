"""Files that are read again when they change, without a restart."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

INTERVAL = 2.0
"""Seconds between two looks at all watched files."""

Stamp = tuple[tuple[int, int, int] | None, ...]


class WatchedFiles:
    """Calls `load` whenever one of the files is another than at the last call.

    Args:
        what: for the log.
        paths: the files as they are now; a folder's listing may change.
        load: reads them, and takes effect as a whole or, with an error, not at all.
    """

    def __init__(self, what: str, paths: Callable[[], Iterable[Path]], load: Callable[[], None]) -> None:
        self.what = what
        self._paths = paths
        self._load = load
        self._seen = self._stamp()

    def poll(self) -> bool:
        """Look, and read what changed; whether anything was read. Raises what `load` raises, once for each change."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        self._load()
        return True

    def _stamp(self) -> Stamp:
        return tuple(file_stamp(path) for path in self._paths())


class Reloader:
    """Looks at all watched files every `INTERVAL`; what can't be read is told, and what was read before stays."""

    def __init__(self, loop: asyncio.AbstractEventLoop, log: Any) -> None:
        self._loop = loop
        self._log = log
        self._watched: list[WatchedFiles] = []

    def watch(self, files: WatchedFiles) -> None:
        """Look at these too."""
        if not self._watched:
            self._loop.call_later(INTERVAL, self._look)
        self._watched.append(files)

    def _look(self) -> None:
        for files in self._watched:
            try:
                if files.poll():
                    self._log.info("reloaded", what=files.what)
            except (ValueError, OSError) as error:
                self._log.error("reload_failed", what=files.what, reason=str(error), kept="what was read before")
        self._loop.call_later(INTERVAL, self._look)


def file_stamp(path: Path) -> tuple[int, int, int] | None:
    """What is another when a file is; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino

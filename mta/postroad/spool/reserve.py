"""Disk space kept back, so that what was delivered can be recorded when others have filled the disk."""

import contextlib
import os
from pathlib import Path

SIZE = 256 << 10
"""Room for some 7,000 outcomes: enough for what is under way; no new delivery needs more than it gives back."""


class Reserve:
    """A file that only takes up room, until it is given up."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"
        self.held = False

    def hold(self) -> None:
        """Take the room if there is plenty of it."""
        with contextlib.suppress(OSError):
            stat = os.statvfs(self._path.parent)
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size < SIZE and stat.f_bavail * stat.f_frsize > 2 * SIZE:
                    os.posix_fallocate(fd, 0, SIZE)
                self.held = os.fstat(fd).st_size >= SIZE
            finally:
                os.close(fd)

    def give_up(self) -> bool:
        """Free the room; whether there was any."""
        held, self.held = self.held, False
        self._path.unlink(missing_ok=True)
        return held

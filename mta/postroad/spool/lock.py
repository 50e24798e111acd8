"""The lock that gives a spool one owner."""

import contextlib
import fcntl
import os
from pathlib import Path


class SpoolInUseError(RuntimeError):
    """Another process owns the spool."""


class SpoolLock:
    """Owns a spool folder from construction until `release` or the end of the process.

    Raises:
        SpoolInUseError: another process does.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._fd, 32).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise SpoolInUseError(
                f"spool {folder} is in use by process {owner or '?'}: stop that one, "
                "or give this one another [spool] path"
            ) from None
        # The number is for people; a full disk mustn't keep the spool from its owner.
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, b"%-20d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let others have the spool."""
        os.close(self._fd)

"""Fills a volume so that its file system itself answers ENOSPC.

The ballast is space without content (fallocate(2)): it takes none of the machine's disk where the volume is a file
system in a sparse file. Its name says how much it was to leave free, so that it is laid once: what the host writes
afterwards fills the rest, as on a disk that runs full.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

PREFIX = ".postroad-ballast-"
INODES = ".postroad-inodes"
SMALLEST_PIECE = 4096


def lay(root: Path, free: int) -> None:
    """Leave `free` octets for others in the file system at `root`.

    Raises:
        OSError: it can't be written.
    """
    wanted = root / f"{PREFIX}{free}"
    if wanted.exists():
        return
    lift(root)
    growing = root / f"{PREFIX}growing"
    with growing.open("wb") as file:
        piece, size = 1 << 30, 0
        while piece >= SMALLEST_PIECE:
            available = _available(root) - free
            if available < SMALLEST_PIECE:
                break
            length = min(piece, available)
            try:
                os.posix_fallocate(file.fileno(), size, length)
                size += length
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                piece //= 2
        os.fsync(file.fileno())
    growing.rename(wanted)


def lift(root: Path) -> None:
    """Take the ballast away."""
    for path in root.glob(f"{PREFIX}*"):
        path.unlink()


def take_inodes(root: Path) -> None:
    """Leave no inode free in the file system at `root`."""
    folder = root / INODES
    folder.mkdir(exist_ok=True)
    number = sum(1 for _ in folder.iterdir())
    first = folder / "0"
    while os.statvfs(root).f_favail > 0:
        try:
            os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            if error.errno != errno.ENOSPC or not first.exists():
                raise
            return
        number += 1


def give_inodes(root: Path) -> None:
    """Undo `take_inodes`."""
    shutil.rmtree(root / INODES, ignore_errors=True)


def _available(root: Path) -> int:
    state = os.statvfs(root)
    return state.f_bavail * state.f_frsize

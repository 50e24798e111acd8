"""One operation at a time: who came second learns who came first, and since when."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postroad_ops.faults import OperationError

LOCK = Path("/run/lock/postroad-operation")


@contextmanager
def operation(name: str) -> Iterator[None]:
    """Hold the machine's operation lock; the kernel drops it when the process ends, however it ends.

    Raises:
        OperationError: another operation holds it.
    """
    descriptor = _acquire()
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"name": name, "pid": os.getpid(), "since": time.time()}).encode(), 0)
        yield
        # While it is held: nothing is left behind, and who opens it from now on makes a new one.
        LOCK.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _acquire() -> int:
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OperationError(
                f"{_holder()} is under way on this machine", remedy="wait for it, or end that process"
            ) from None
        # Its holder may have removed it between the two calls: a lock on a file that has no name any more is none.
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _holder() -> str:
    try:
        holder = json.loads(LOCK.read_text())
        return f"`make {holder['name']}` (process {holder['pid']}, for {time.time() - holder['since']:.0f} s)"
    except (OSError, ValueError, KeyError):
        return "another operation"

"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Return when it holds, and fail when it doesn't in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)

"""The time that the API's engines go by: seconds since the epoch, which outlive a daemon. Tests set it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

source: Callable[[], float] = time.time


def now() -> float:
    """Seconds since the epoch."""
    return source()


def moment(seconds: float) -> datetime:
    """The same as AWS's answers give it."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def stamp(seconds: float) -> str:
    """The same in AWS's texts: whole seconds, `Z` at the end."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

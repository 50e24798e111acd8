"""The time that mail waits by: Unix time that doesn't jump when the wall clock is set."""

import contextlib
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

STEP = 2.0
"""Seconds by which the wall clock must be off between two looks at it to have been set; NTP slews it by far less."""
_FILE = "clock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


_elapsed = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds since the machine started, those that it slept included."""


def _boot() -> str:
    """Which start of the machine this is."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text("ascii").strip()
    return ""


class SteadyClock:
    """Unix time in seconds as it was at the start, and as much more as has elapsed since.

    Ages and waits are told by it. A wall clock that is set a day ahead would bounce what is no day old, and make all
    that waits due at once; one that is set back would let it wait for longer. Which of two times was the true one
    doesn't matter for how long a message has waited. It is resumed after a restart, as long as the machine runs; after
    a restart of the machine the wall clock is all that there is to go by, but time never goes back.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
        boot: Callable[[], str] = _boot,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._boot = boot
        self._start = wall() - elapsed()
        self.ahead = 0.0
        """Seconds that the wall clock has been set ahead since, when it was last looked at."""

    def __call__(self) -> float:
        """The time now."""
        return self._start + self._elapsed()

    def follow(self) -> float:
        """Look at the wall clock: go with it if it was slewed; how far it has been set ahead."""
        drift = self._wall() - self() - self.ahead
        if abs(drift) > STEP:
            self.ahead += drift
        else:
            self._start += drift
        return self.ahead

    def wall(self, at: float) -> float:
        """What the wall clock shows, or would have shown, at a time of this one: for what people and others read."""
        return at + self.ahead

    def resume(self, folder: Path) -> float:
        """Go on where a process before this one was, as it `keep`s it in a folder; how far the wall clock is ahead."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads((folder / _FILE).read_text("ascii"))
            known, elapsed, boot = float(kept["time"]), float(kept["elapsed"]), str(kept["boot"])
            if boot and boot == self._boot():
                start = known - elapsed
                if abs(start - self._start) > STEP:
                    self._start = start
            else:
                self._start += max(0.0, known - self())
        return self.follow()

    def keep(self, folder: Path) -> None:
        """Note the time for the next process. Nothing is lost by a failure but that."""
        noted = {"time": self(), "elapsed": self._elapsed(), "boot": self._boot()}
        fresh = folder / f"{_FILE}.new"
        with contextlib.suppress(OSError):
            fresh.write_text(json.dumps(noted), "ascii")
            os.rename(fresh, folder / _FILE)

    def believe(self) -> None:
        """Take the wall clock's word again: nothing waits that would suffer from it."""
        self._start = self._wall() - self._elapsed()
        self.ahead = 0.0


steady = SteadyClock()
"""This process's."""

"""The world's clock: a day of it lasts as long as a setting says, so that a month can pass in minutes.

Everything that depends on time asks this clock: limits, reputation, greylists, incidents, when bounces and complaints
come. Only what a client's own timeouts measure (delays of replies) is in real seconds.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from postroad_region.atomic_file import write_atomically

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """A moment that both times are known of, and how fast the world's goes from there.

    Args:
        real: seconds since the epoch.
        world: the same moment by the world's clock, in seconds since the epoch too.
        day: real seconds of a day of the world.
        began: world time of the start or the last reset, from which the script counts.
        configured: the file's `day` when this was made; another one in the file takes over.
    """

    real: float
    world: float
    day: float
    began: float
    configured: float

    def at(self, real: float) -> float:
        """The world's time at a real time."""
        return self.world + (real - self.real) * (DAY / self.day)


class Clock:
    """The one clock of a world; it goes on over restarts and never back, but for a reset.

    Args:
        file: keeps the pace.
        day: the file's setting.
        real: seconds since the epoch.
    """

    def __init__(self, file: Path, *, day: float, real: Callable[[], float] = time.time) -> None:
        self._file = file
        self._configured = day
        self._real = real
        self._pace = self._kept() or self._fresh()
        if self._pace.configured != day:
            self._set(day=day)
        self._keep()

    def now(self) -> float:
        """The world's time, seconds since the epoch."""
        return self._pace.at(self._real())

    def since_start(self) -> float:
        """World seconds since the start or the last reset."""
        return self.now() - self._pace.began

    def real_seconds(self, world_seconds: float) -> float:
        """How long a span of the world's time really lasts."""
        return world_seconds * self._pace.day / DAY

    @property
    def day(self) -> float:
        """Real seconds of a day of the world."""
        return self._pace.day

    @property
    def began(self) -> float:
        """World time of the start or the last reset."""
        return self._pace.began

    def set_day(self, day: float) -> None:
        """Go at another pace from now on.

        Raises:
            ValueError: it isn't above 0 and at most a real day.
        """
        if not 0 < day <= DAY:
            raise ValueError(f"day: {day:g} isn't above 0 and at most 86400 real seconds")
        self._set(day=day)

    def advance(self, seconds: float) -> None:
        """Jump forward.

        Raises:
            ValueError: the span is negative, or over ten years.
        """
        if not 0 <= seconds <= 3650 * DAY:
            raise ValueError(f"advance: {seconds:g} isn't between 0 seconds and ten years")
        self._set(day=self._pace.day, ahead=seconds)

    def reset(self) -> None:
        """Back to real time and the file's pace; the script begins again."""
        self._pace = self._fresh()
        self._keep()

    def _fresh(self) -> Pace:
        now = self._real()
        return Pace(now, now, self._configured, now, self._configured)

    def _set(self, *, day: float, ahead: float = 0.0) -> None:
        real = self._real()
        self._pace = Pace(real, self._pace.at(real) + ahead, day, self._pace.began, self._configured)
        self._keep()

    def _keep(self) -> None:
        write_atomically(self._file, json.dumps(asdict(self._pace)))

    def _kept(self) -> Pace | None:
        try:
            return Pace(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

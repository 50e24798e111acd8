"""What the machine's processors did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_IDLE = (3, 4)
"""Which numbers of a cpu line are time in which nothing ran: idle and iowait (proc(5))."""


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Time of all processors since the machine's start, in ticks.

    Args:
        whole: all of it but what a hypervisor gave to others.
        idle: that in which nothing ran.
    """

    whole: int
    idle: int

    def busy_since(self, before: ProcessorTime) -> float:
        """Which part of the time since then something ran; 0 if none has passed."""
        whole = self.whole - before.whole
        return 1.0 - (self.idle - before.idle) / whole if whole > 0 else 0.0


def processor_time(stat: Path = Path("/proc/stat")) -> ProcessorTime:
    """As of now."""
    # user, nice, system, idle, iowait, irq, softirq; steal follows, and guest time is in user already.
    ticks = [int(field) for field in stat.read_text().splitlines()[0].split()[1:8]]
    return ProcessorTime(sum(ticks), sum(ticks[index] for index in _IDLE))

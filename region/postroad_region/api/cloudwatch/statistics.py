"""Statistics of the samples in one period.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)\Z")
PLAIN = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one PutMetricData call said: `count` values with this sum, smallest and largest."""

    time: float
    total: float
    low: float
    high: float
    count: float = 1.0


def known(statistic: str) -> bool:
    """Whether a statistic can be computed here: the plain ones and percentiles."""
    return statistic in PLAIN or _PERCENTILE.match(statistic) is not None


def value(statistic: str, samples: Sequence[Sample]) -> float | None:
    """A statistic of samples; None without any, and for percentiles of samples that are sets of many values.

    Raises:
        ValueError: the statistic isn't known.
    """
    if not known(statistic):
        raise ValueError(f"statistic {statistic} isn't known")
    count = sum(sample.count for sample in samples)
    if not count:
        return None
    match statistic:
        case "Sum":
            return sum(sample.total for sample in samples)
        case "Average":
            return sum(sample.total for sample in samples) / count
        case "Minimum":
            return min(sample.low for sample in samples)
        case "Maximum":
            return max(sample.high for sample in samples)
        case "SampleCount":
            return count
    return _percentile(float(statistic[1:]), samples)


def _percentile(rank: float, samples: Sequence[Sample]) -> float | None:
    if any(sample.low != sample.high for sample in samples):
        return None
    values = sorted(value for sample in samples for value in [sample.low] * max(1, round(sample.count)))
    position = (len(values) - 1) * rank / 100
    below, above = math.floor(position), math.ceil(position)
    return values[below] + (values[above] - values[below]) * (position - below)


def series(samples: Iterable[Sample], statistic: str, *, period: int, end: float, count: int) -> list[float | None]:
    """The statistic of the last `count` whole periods before `end`, oldest first; periods begin at multiples."""
    last = math.floor(end / period) * period
    bins: list[list[Sample]] = [[] for _ in range(count)]
    for sample in samples:
        index = count - 1 - math.floor((last - period - math.floor(sample.time / period) * period) / period)
        if 0 <= index < count and sample.time < last:
            bins[index].append(sample)
    return [value(statistic, each) for each in bins]

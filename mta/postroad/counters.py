"""Counters and histograms that cost a message next to nothing: plain numbers, looked at when somebody asks.

The interface is prometheus_client's, whose own take a lock and four calls to count one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Count:
    """A number that grows; counted by one thread only."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count `amount` more, which is not negative."""
        self.value += amount


class Counter(Count, Collector):
    """A counter, or with `labels` one for each combination of their values."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, registry: CollectorRegistry) -> None:
        super().__init__()
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._children: dict[tuple[str, ...], Count] = {}
        registry.register(self)

    def labels(self, *values: str) -> Count:
        """The counter of these values, one for each label."""
        count = self._children.get(values)
        if count is None:
            if len(values) != len(self._labels):
                raise ValueError(f"{self._name} has labels {self._labels}, not {len(values)}")
            count = self._children[values] = Count()
        return count

    def describe(self) -> Iterable[CounterMetricFamily]:
        """The name, so that registration finds out who has it twice."""
        return [CounterMetricFamily(self._name, self._text)]

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What was counted."""
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        if not self._labels:
            family.add_metric((), self.value)
        for values, count in self._children.items():
            family.add_metric(values, count.value)
        yield family


class Histogram(Collector):
    """How many values were at most as large as each bound; observed by one thread only."""

    def __init__(self, name: str, text: str, *, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name = name
        self._text = text
        self._bounds = sorted(buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name, so that registration finds out who has it twice."""
        return [HistogramMetricFamily(self._name, self._text)]

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What was observed, in buckets that each hold those before."""
        buckets, so_far = [], 0
        for bound, count in zip([*self._bounds, float("inf")], self._counts, strict=True):
            so_far += count
            buckets.append((floatToGoString(bound), so_far))  # type: ignore[no-untyped-call]
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=self._sum)

"""Our counters say what prometheus_client's would, to the letter."""

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.build import Build
from postroad.counters import Counter, Histogram
from postroad.metrics import MtaMetrics, ProxyMetrics
from prometheus_client import CollectorRegistry, generate_latest

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
BUCKETS = (0.001, 0.0025, 0.005, 0.25, 1.0)
values = st.floats(0, 2) | st.sampled_from(BUCKETS)


@given(st.lists(values), st.lists(st.tuples(st.sampled_from(["in", "out\n"]), st.integers(0, 10**12))))
def test_pages_are_the_same(observed: list[float], counted: list[tuple[str, int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    for make_counter, make_histogram, registry in (
        (Counter, Histogram, ours),
        (prometheus_client.Counter, prometheus_client.Histogram, theirs),
    ):
        histogram = make_histogram("took_seconds", "How long.", buckets=BUCKETS, registry=registry)
        plain = make_counter("mail_bytes", "How much.", registry=registry)
        moved = make_counter("moved", "Where.", ["direction", "outcome"], registry=registry)
        for value in observed:
            histogram.observe(value)
        for direction, amount in counted:
            plain.inc(amount)
            moved.labels(direction, "taken").inc()
    assert generate_latest(ours) == generate_latest(theirs)


def test_a_name_is_taken_once() -> None:
    registry = CollectorRegistry()
    Counter("mail", "Mail.", registry=registry)
    with pytest.raises(ValueError, match="mail"):
        prometheus_client.Gauge("mail_total", "Mail.", registry=registry)


def test_a_label_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="moved has labels"):
        Counter("moved", "Where.", ["direction", "outcome"], registry=CollectorRegistry()).labels("in")


@pytest.mark.parametrize("metrics", [MtaMetrics, ProxyMetrics])
def test_a_page_has_no_times_of_birth(metrics: type[MtaMetrics] | type[ProxyMetrics]) -> None:
    page = generate_latest(metrics(Build("1", "r")).registry).decode()
    assert "# TYPE" in page
    assert "_created" not in page

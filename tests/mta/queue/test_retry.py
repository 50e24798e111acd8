import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.queue.retry import RetryPolicy, next_delay, next_due

POLICY = RetryPolicy(first_delay=1200, max_delay=14400, max_age=432000, spread=0.1)


@pytest.mark.parametrize(
    ("attempts", "jitter", "delay"),
    [
        (1, 0.0, 1200),
        (2, 0.0, 2400),
        (3, 0.0, 4800),
        (4, 0.0, 9600),
        (5, 0.0, 14400),
        (5000, 0.0, 14400),
        (1, 0.5, 1260),
    ],
)
def test_delays_double_up_to_the_cap_and_are_spread(attempts: int, jitter: float, delay: float) -> None:
    assert next_delay(attempts, policy=POLICY, jitter=jitter) == pytest.approx(delay)


def test_no_attempt_has_no_delay() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next_delay(0, policy=POLICY, jitter=0.0)


@given(st.floats(0, 1e6), st.integers(1, 10_000), st.floats(0, 0.999))
def test_nothing_is_due_later_than_its_expiry(age: float, attempts: int, jitter: float) -> None:
    received = 1.7e9
    due = next_due(received + age, received, attempts, policy=POLICY, jitter=jitter)
    if age >= POLICY.max_age:
        assert due is None
    else:
        assert due is not None
        assert received + age < due <= received + POLICY.max_age

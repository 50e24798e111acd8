"""When the next attempt is due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait between attempts, and how long at all; all in seconds."""

    first_delay: float = 1200.0
    max_delay: float = 4 * 3600.0
    max_age: float = 5 * 86400.0
    spread: float = 0.1
    """The jitter adds up to this part of the wait, so that what failed together doesn't return together."""


def next_delay(attempts: int, *, policy: RetryPolicy, jitter: float) -> float:
    """Seconds to wait after `attempts` failed attempts: exponential, capped, spread by `jitter` in [0, 1).

    Raises:
        ValueError: `attempts` is less than 1.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts}")
    # The exponent is bounded too: 2.0 ** 1024 overflows.
    delay = min(policy.first_delay * 2.0 ** min(attempts - 1, 62), policy.max_delay)
    return delay * (1.0 + policy.spread * jitter)


def next_due(now: float, received: float, attempts: int, *, policy: RetryPolicy, jitter: float) -> float | None:
    """Unix time of the next attempt; None if the message has had its time and is to be bounced.

    The last attempt falls on the expiry itself, so that nothing waits beyond `max_age`.
    """
    expiry = received + policy.max_age
    if now >= expiry:
        return None
    return min(now + next_delay(attempts, policy=policy, jitter=jitter), expiry)

"""Greylisting: a source, sender and recipient never seen together are asked to come back (RFC 6647)."""

from dataclasses import dataclass

from postroad_region.world.definition.limits import GreylistPolicy


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """What is known of a triple.

    Args:
        first: world time of its first try.
        passed: world time at which it passed last; None: never.
    """

    first: float
    passed: float | None = None


def passes(known: Acquaintance | None, now: float, policy: GreylistPolicy) -> bool:
    """Whether a try is let through."""
    if known is None:
        return False
    if known.passed is not None and now - known.passed <= policy.remember:
        return True
    return known.passed is None and policy.delay <= now - known.first <= policy.window


def remembered(known: Acquaintance | None, now: float, policy: GreylistPolicy) -> Acquaintance:
    """What is known after a try at `now`."""
    if known is not None and passes(known, now, policy):
        return Acquaintance(known.first, now)
    if known is not None and known.passed is None and now - known.first <= policy.window:
        return known
    return Acquaintance(now)


def neighbourhood(source: str) -> str:
    """The /24 of an address: large senders come back from a neighbour."""
    return source.rpartition(".")[0]

"""Greylisting."""

import pytest
from postroad_region.world.decisions.greylist import Acquaintance, neighbourhood, passes, remembered
from postroad_region.world.definition.limits import GreylistPolicy

POLICY = GreylistPolicy(delay=300, window=7200, remember=100_000)
NEW = Acquaintance(1000)
KNOWN = Acquaintance(1000, 2000)


@pytest.mark.parametrize(
    ("known", "now", "expected", "after"),
    [
        (None, 1000, False, Acquaintance(1000)),
        (NEW, 1000, False, NEW),
        (NEW, 1299, False, NEW),
        (NEW, 1300, True, Acquaintance(1000, 1300)),
        (NEW, 8200, True, Acquaintance(1000, 8200)),
        (NEW, 8201, False, Acquaintance(8201)),
        (KNOWN, 2001, True, Acquaintance(1000, 2001)),
        (KNOWN, 102_000, True, Acquaintance(1000, 102_000)),
        (KNOWN, 102_001, False, Acquaintance(102_001)),
    ],
)
def test_who_comes_back_in_time_passes(
    known: Acquaintance | None, now: float, expected: bool, after: Acquaintance
) -> None:
    assert passes(known, now, POLICY) is expected
    assert remembered(known, now, POLICY) == after


def test_neighbours_are_one_sender() -> None:
    assert neighbourhood("198.18.113.5") == neighbourhood("198.18.113.200") != neighbourhood("198.18.112.5")

"""Availability zones by name; Postroad names its cells after the zone's letter."""

from __future__ import annotations


def letter(zone: str) -> str:
    """The letter that tells a zone from its siblings: `a` of `us-east-1a`."""
    return zone[-1]


def region_of(zone: str) -> str:
    """The region that the zone is part of: `us-east-1` of `us-east-1a`."""
    return zone[:-1]


def ordinal(name: str, index: int) -> str:
    """The name of the index-th (from 0) thing of a kind in a zone: the first has the bare name, then `-2`, `-3` …

    The first keeps its name when a second is added, so nothing that exists is renamed.
    """
    return name if index == 0 else f"{name}-{index + 1}"

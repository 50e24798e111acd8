"""Sizes and rates as people write them."""

from __future__ import annotations

import re

from postroad_region.errors import RegionError

_SIZE = re.compile(r"(\d+)([KMGT]?)i?B?", re.IGNORECASE)
_RATE = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)bit", re.IGNORECASE)
_POWERS_OF_1024 = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_POWERS_OF_1000 = {"": 0, "K": 1, "M": 2, "G": 3}


def octets(text: str) -> int:
    """A size in octets: `4096`, `64M`, `1GiB`.

    Raises:
        RegionError: it isn't one.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise RegionError(f"{text!r} isn't a size", remedy="write it as 64M or 1G")
    return int(int(found[1]) * 1024 ** _POWERS_OF_1024[found[2].upper()])


def octets_per_second(text: str) -> int:
    """A rate in octets a second: `750Mbit`, `2.5Gbit`, as the tables of instance types have it.

    Raises:
        RegionError: it isn't one, or less than an octet.
    """
    found = _RATE.fullmatch(text.strip())
    rate = int(float(found[1]) * 1000 ** _POWERS_OF_1000[found[2].upper()] / 8) if found else 0
    if rate < 1:
        raise RegionError(f"{text!r} isn't a rate", remedy="write it as 750Mbit or 2.5Gbit")
    return rate

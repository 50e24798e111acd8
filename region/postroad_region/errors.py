"""What goes wrong in the region, said in one line."""

from __future__ import annotations


class RegionError(Exception):
    """A fault with its remedy.

    Args:
        what: what went wrong and where, in one line.
        remedy: what the operator can do, as a command or a short sentence.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy

"""What stops an operator's command, in one line with the command that continues or repairs."""

from __future__ import annotations


class OperationError(Exception):
    """A fault with its remedy.

    Args:
        what: what went wrong, where and why.
        remedy: the command to run, or what to do.
    """

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy

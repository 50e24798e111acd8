"""A drain as people watch it: one line that changes on a terminal, plain lines elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

LINE_EVERY = 5.0
"""Seconds between two lines that differ only in their numbers."""


class Watcher:
    """Shows states as they come.

    Args:
        clock: seconds, growing.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._status: Status | None = Status("", console=console) if console.is_terminal else None
        self._first: tuple[float, int] | None = None
        self._said: list[str] = []
        self._said_at = float("-inf")

    def __enter__(self) -> "Watcher":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, state: dict[str, Any]) -> None:
        """Show a state: at once if something else than numbers changed."""
        now = self._clock()
        if self._first is None:
            self._first = (now, state["moved"])
        line = progress_line(state, moved_per_second(self._first, now, state["moved"]))
        if self._status is not None:
            self._status.update(escape(line))
            return
        reasons = [reason for reason in state["waiting_for"] if not reason[:1].isdigit()]
        if reasons != self._said or now >= self._said_at + LINE_EVERY or state["safe"]:
            self._said, self._said_at = reasons, now
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)


def moved_per_second(first: tuple[float, int], now: float, moved: int) -> float:
    """The rate since the first look; 0 if a restart made the count begin again."""
    began, before = first
    return max(0.0, (moved - before) / (now - began)) if now > began else 0.0


def progress_line(state: dict[str, Any], rate: float) -> str:
    """Moved, remaining, rate, and what is waited for."""
    line = f"moved {state['moved']}, remaining {state['messages']}, {rate:.0f}/s"
    reasons = [reason for reason in state["waiting_for"] if not reason.endswith("messages in the spool")]
    return f"{line}: {'; '.join(reasons)}" if reasons else line

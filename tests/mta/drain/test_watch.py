import io
from typing import Any

import pytest
from postroad.drain.watch import Watcher, moved_per_second, progress_line
from rich.console import Console


def state(moved: int = 0, messages: int = 10, safe: bool = False, *waiting_for: str) -> dict[str, Any]:
    return {"moved": moved, "messages": messages, "safe": safe, "waiting_for": list(waiting_for)}


def test_plain_lines_come_at_once_if_a_reason_changes_and_else_every_few_seconds() -> None:
    out = io.StringIO()
    now = 100.0
    with Watcher(Console(file=out, width=40), clock=lambda: now) as watcher:
        watcher.show(state(0, 30, False, "30 messages in the spool"))
        now += 1
        watcher.show(state(10, 20, False, "20 messages in the spool"))
        now += 1
        watcher.show(state(20, 10, False, "10 messages in the spool", "no target takes mail: [::1]:8025 refuses"))
        now += 5
        watcher.show(state(25, 5, False, "5 messages in the spool", "no target takes mail: [::1]:8025 refuses"))
        watcher.show(state(30, 0, True))
    assert out.getvalue().splitlines() == [
        "moved 0, remaining 30, 0/s",
        "moved 20, remaining 10, 10/s: no target takes mail: [::1]:8025 refuses",
        "moved 25, remaining 5, 4/s: no target takes mail: [::1]:8025 refuses",
        "moved 30, remaining 0, 4/s",
    ]


@pytest.mark.parametrize(("now", "moved", "rate"), [(1.0, 5, 0.0), (3.0, 25, 10.0), (3.0, 0, 0.0)])
def test_the_rate(now: float, moved: int, rate: float) -> None:
    assert moved_per_second((1.0, 5), now, moved) == rate


def test_a_line_names_what_is_waited_for() -> None:
    assert progress_line(state(1, 2, False, "2 messages in the spool", "3 sessions"), 0.4) == (
        "moved 1, remaining 2, 0/s: 3 sessions"
    )

"""One operation at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from postroad_ops import lock
from postroad_ops.faults import OperationError

HOLD = """
import sys
from pathlib import Path
from postroad_ops import lock
lock.LOCK = Path(sys.argv[1])
with lock.operation("up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK", tmp_path / "lock")


def hold() -> "subprocess.Popen[str]":
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock.LOCK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout
    assert child.stdout.readline() == "held\n"
    return child


def test_who_comes_second_learns_who_came_first() -> None:
    first = hold()
    try:
        said = rf"`make up` \(process {first.pid}, for \d+ s\) is under way"
        with pytest.raises(OperationError, match=said), lock.operation("deploy"):
            pass
    finally:
        first.communicate("")


def test_a_killed_holder_leaves_it_free() -> None:
    first = hold()
    first.kill()
    first.wait()
    with lock.operation("deploy"):
        assert str(os.getpid()) in lock.LOCK.read_text()


def test_it_may_be_taken_again_after_the_end() -> None:
    for _ in range(2):
        with lock.operation("up"):
            pass


def test_nothing_of_it_is_left_at_the_end() -> None:
    with lock.operation("down"):
        assert lock.LOCK.exists()
    assert not lock.LOCK.exists()


def test_a_lock_that_its_holder_removed_in_between_is_taken_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open
    removals = iter([True])

    def remove_after_open(*arguments: object, **options: object) -> int:
        descriptor = opened(*arguments, **options)  # type: ignore[arg-type]
        if next(removals, False):
            lock.LOCK.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", remove_after_open)
    with lock.operation("up"):
        assert str(os.getpid()) in lock.LOCK.read_text()

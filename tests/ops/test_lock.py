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

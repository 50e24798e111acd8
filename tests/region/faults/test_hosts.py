"""Hosts that stand still and hosts that die: real processes in a control group of their own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postroad_region.errors import RegionError
from postroad_region.faults import freezer
from postroad_region.faults.enforcer import Enforcer
from postroad_region.faults.file import FaultsFile

pytestmark = pytest.mark.root

INSTANCE = "i-0123456789abcdef0"
VERSION_1 = freezer.HIERARCHY_1.exists()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Ticking:
    """A process that writes its count to a file over and over: it stands still when the file does."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ticks"
        self._file.touch()
        program = f"n=0; while :; do n=$((n+1)); echo $n > {self._file}; sleep 0.01; done"
        self.process = subprocess.Popen(["sh", "-c", program])

    def count(self) -> int:
        return int(self._file.read_text() or 0)

    def goes_on(self) -> bool:
        before = self.count()
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            if self.count() > before + 1:
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Ticking]:
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    group = (freezer.HIERARCHY_1 if VERSION_1 else freezer.HIERARCHY_2) / f"prt-{os.getpid()}"
    group.mkdir()
    ticking = Ticking(tmp_path)
    (group / "cgroup.procs").write_text(str(ticking.process.pid))
    yield ticking
    Enforcer.release_host(ticking.process.pid)
    ticking.process.kill()
    ticking.process.wait()
    # A `sleep` of the loop's may be left.
    wait_for(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.fixture
def file(tmp_path: Path) -> FaultsFile:
    return FaultsFile(tmp_path / "faults.json")


def look(file: FaultsFile, pid: int) -> Enforcer:
    """A pass of a daemon that was just started."""
    enforcer = Enforcer(file, Path("/nonexistent"))
    enforcer.begin(instances={INSTANCE: "running"}, volumes=[])
    enforcer.apply_to_host(INSTANCE, pid)
    enforcer.end()
    return enforcer


def test_a_frozen_host_stands_still_over_restarts_of_the_daemon_until_it_is_thawed(
    host: Ticking, file: FaultsFile
) -> None:
    pid = host.process.pid
    wait_for(host.goes_on)
    file.update(lambda faults: faults.with_frozen(INSTANCE, frozen=True))
    for _ in range(2):
        look(file, pid)
        wait_for(lambda: freezer.is_frozen(pid))
        assert not host.goes_on()
    assert host.process.poll() is None
    file.update(lambda faults: faults.with_frozen(INSTANCE, frozen=False))
    look(file, pid)
    assert host.goes_on()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_killed_host_is_gone_at_once_and_counts_as_impaired(host: Ticking, file: FaultsFile, frozen: bool) -> None:
    pid = host.process.pid
    if frozen:
        freezer.set_frozen(pid, frozen=True)
    file.update(lambda faults: faults.with_killed(INSTANCE, killed=True))
    enforcer = look(file, pid)
    assert host.process.wait(timeout=5) == -signal.SIGKILL
    assert enforcer.is_dead(INSTANCE)
    assert enforcer.impaired() == {INSTANCE}


def test_a_host_that_stands_still_can_be_stopped(host: Ticking) -> None:
    pid = host.process.pid
    freezer.set_frozen(pid, frozen=True)
    Enforcer.release_host(pid)
    assert host.goes_on()
    Enforcer.release_host(2**22 + 1)


def test_a_group_that_holds_more_than_the_host_is_never_frozen() -> None:
    groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    if any(path != "/" for _, controllers, path in groups if controllers in ("", "freezer")):
        pytest.skip("the tests run in a control group of their own")
    with pytest.raises(RegionError, match="no control group that can be frozen"):
        freezer.set_frozen(os.getpid(), frozen=True)


def test_where_nothing_can_be_frozen_only_freezing_is_a_fault(file: FaultsFile) -> None:
    gone = 2**22 + 1
    look(file, gone)
    file.update(lambda faults: faults.with_frozen(INSTANCE, frozen=True))
    with pytest.raises(RegionError, match="is gone"):
        look(file, gone)


def test_asking_for_the_state_tells_the_daemon_to_look_while_it_is_behind(file: FaultsFile) -> None:
    asked: list[str] = []
    enforcer = Enforcer(file, Path("/nonexistent"))
    enforcer.begin(instances={}, volumes=[])
    enforcer.end()
    assert enforcer.status(lambda: asked.append("look")) == {"applied": True}
    file.update(lambda faults: faults.with_zone("us-east-1a", down=True))
    assert enforcer.status(lambda: asked.append("look")) == {"applied": False, "zones_down": ["us-east-1a"]}
    assert asked == ["look"]
    file.path.write_text("{")
    assert enforcer.status(lambda: None)["applied"] is False

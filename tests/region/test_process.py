"""Processes outlive who started them, and nobody else's is ever touched."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postroad_region.process import Command, Process, ProcessError

SLEEPER = ["sleep", "300"]
# Like sd_notify(3), it goes on where nobody listens any more: its starter may have been killed.
READY = """
import contextlib, os, socket, time
with contextlib.suppress(OSError):
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(300)
"""
WITH_CHILD = """
import os, socket, subprocess, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
time.sleep(300)
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process("thing", run_dir=tmp_path / "run", log_file=tmp_path / "thing.log")
    yield made
    made.stop(deadline=0)


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    other = subprocess.Popen(SLEEPER)
    yield other
    other.kill()
    other.wait()


def wait_until(condition: object, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it didn't happen in time"
        time.sleep(0.01)


def test_ensure_starts_once(process: Process) -> None:
    assert process.ensure(Command(SLEEPER))
    first = process.running()
    assert first is not None
    assert not process.ensure(Command(SLEEPER))
    assert process.running() == first


def test_another_object_takes_the_process_up(process: Process, tmp_path: Path) -> None:
    process.ensure(Command(SLEEPER))
    heir = Process("thing", run_dir=tmp_path / "run", log_file=tmp_path / "thing.log")
    assert not heir.ensure(Command(SLEEPER))
    assert heir.running() == process.running()


def test_it_outlives_who_started_it(process: Process, tmp_path: Path) -> None:
    parent = f"""
import os, signal
from pathlib import Path
from postroad_region.process import Command, Process
made = Process("thing", run_dir=Path({str(process.run_dir)!r}), log_file=Path({str(process.log_file)!r}))
made.ensure(Command({SLEEPER!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(python(parent), check=False)
    assert done.returncode == -signal.SIGKILL
    assert process.running() is not None


def test_a_changed_command_restarts_it(process: Process) -> None:
    process.ensure(Command(SLEEPER))
    first = process.running()
    assert process.ensure(Command(SLEEPER, fingerprint="other"))
    assert process.running() != first
    assert not process.ensure(Command(SLEEPER, fingerprint="other"))


def test_a_killed_process_is_noticed_and_started_again(process: Process) -> None:
    process.ensure(Command(SLEEPER))
    assert process.signal(signal.SIGKILL)
    wait_until(lambda: process.running() is None)
    assert process.ensure(Command(SLEEPER))


def test_stop_ends_what_ignores_term(process: Process) -> None:
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY
    process.ensure(Command(python(ignoring), notify=True))
    assert process.stop(deadline=0.1)
    assert process.running() is None


def test_stop_without_a_process_says_so(process: Process) -> None:
    assert not process.stop()


def test_a_reused_process_id_is_not_ours(process: Process, stranger: "subprocess.Popen[bytes]") -> None:
    process.ensure(Command(SLEEPER))
    process.stop()
    record = {"pid": stranger.pid, "started": 1, "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip()}
    (process.run_dir / "thing.pid").write_text(json.dumps({**record, "fingerprint": "x"}))
    assert process.running() is None
    assert not process.signal(signal.SIGKILL)
    assert not process.stop()
    assert stranger.poll() is None


def test_a_record_of_another_boot_is_nobody(process: Process, stranger: "subprocess.Popen[bytes]") -> None:
    process.ensure(Command(SLEEPER))
    identity = process.running()
    assert identity is not None
    record = process.run_dir / "thing.pid"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "boot": "another"}))
    assert process.running() is None


def test_a_lost_record_does_not_leave_two(process: Process) -> None:
    process.ensure(Command(SLEEPER))
    lost = process.running()
    assert lost is not None
    (process.run_dir / "thing.pid").unlink()
    assert process.ensure(Command(SLEEPER))
    with pytest.raises(ProcessLookupError):
        os.kill(lost.pid, 0)


def test_a_torn_record_is_no_record(process: Process) -> None:
    process.ensure(Command(SLEEPER))
    (process.run_dir / "thing.pid").write_text('{"pid": 1')
    assert process.ensure(Command(SLEEPER))


def test_children_of_a_killed_leader_end_with_it(process: Process) -> None:
    process.ensure(Command(python(WITH_CHILD), notify=True))
    process.signal(signal.SIGKILL)
    wait_until(lambda: process.running() is None)
    assert len(process._marked()) == 1
    process.stop()
    assert process._marked() == []


def test_a_process_that_exits_at_its_start_is_an_error_with_its_last_words(process: Process) -> None:
    with pytest.raises(ProcessError, match="thing exited at its start: no such thing"):
        process.ensure(Command(["sh", "-c", "echo no such thing; exit 3"], notify=True))
    assert process.running() is None


def test_a_missing_program_is_an_error(process: Process) -> None:
    with pytest.raises(ProcessError, match="thing exited at its start"):
        process.ensure(Command(["/nonexistent/program"], notify=True))


def test_a_process_that_never_gets_ready_is_stopped_again(process: Process) -> None:
    with pytest.raises(ProcessError, match="wasn't ready within"):
        process.ensure(Command(SLEEPER, notify=True), deadline=0.3)
    assert process.running() is None


def test_nothing_of_the_environment_is_inherited(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    process.ensure(Command(["sh", "-c", "env; exec sleep 300"], environment={"GIVEN": "1"}))
    wait_until(lambda: "GIVEN=1" in process.log_file.read_text())
    assert "secret" not in process.log_file.read_text()


def test_a_big_log_is_moved_aside_at_the_next_start(process: Process) -> None:
    process.log_file.write_bytes(b"x" * 5_000_001)
    process.ensure(Command(SLEEPER))
    assert process.log_file.stat().st_size == 0
    assert process.log_file.with_name("thing.log.1").stat().st_size == 5_000_001


@pytest.mark.root
@pytest.mark.parametrize("way", ["ip netns exec {}", "nsenter --net=/run/netns/{}", "env ip netns exec {}"])
def test_a_process_left_in_a_deleted_namespace_is_started_in_the_new_one(
    process: Process, make_namespace: Callable[..., Any], way: str
) -> None:
    namespace = make_namespace()
    command = Command(SLEEPER, way.format(namespace.name).split())
    process.ensure(command)
    assert not process.ensure(command)
    subprocess.run(["ip", "netns", "delete", namespace.name], check=True)
    with pytest.raises(ProcessError, match=namespace.name):
        process.ensure(command)
    subprocess.run(["ip", "netns", "add", namespace.name], check=True)
    assert process.ensure(command)
    assert not process.ensure(command)


def test_a_starter_killed_at_any_moment_leaves_at_most_one(process: Process) -> None:
    command = Command(python(READY), notify=True)
    starter = f"""
from pathlib import Path
from postroad_region.process import Command, Process
made = Process("thing", run_dir=Path({str(process.run_dir)!r}), log_file=Path({str(process.log_file)!r}))
print(flush=True)
made.ensure(Command({list(command.argv)!r}, notify=True))
"""
    for round_ in range(12):
        process.stop(deadline=0)
        with subprocess.Popen(python(starter), stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            parent.stdout.readline()
            time.sleep(round_ * 0.001)  # the moment is what varies, nothing is waited for
            parent.kill()
        process.ensure(command)
        # While the launcher becomes the server, the kernel shows no environment, so no mark (proc(5)).
        wait_until(lambda: process._marked() != [])
        assert [each.pid for each in process._marked()] == [getattr(process.running(), "pid", None)]

"""A round measures a whole server, and says so when mail is lost on the way."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from postroad_bench.mta.key import signing_key
from postroad_bench.mta.ours import Postroad
from postroad_bench.mta.postfix import Postfix
from postroad_bench.mta.processor import processor_time
from postroad_bench.mta.round import accept, file_system, folder_on_disk, relay, verify
from postroad_bench.mta.server import Server, System, Task, process
from postroad_bench.mta.sink import counting_sink
from postroad_ops.faults import OperationError

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
needs_postfix = pytest.mark.skipif(shutil.which("smtp-source") is None, reason="Postfix isn't installed")


@pytest.fixture(autouse=True)
def on_disk(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad_bench.mta.round.file_system", lambda _: "ext4")


class Swallower:
    """A server that accepts mail and keeps it."""

    name = "swallower"

    def missing(self) -> str | None:
        return None

    @contextlib.contextmanager
    def running(self, task: Task) -> Iterator[Server]:
        with counting_sink(task.folder, ids=100, port=task.port):
            yield Server(task.port, [])


@needs_compiler
def test_every_message_that_ours_accepts_arrives_once() -> None:
    assert verify(Postroad(), messages=60, octets=2048) == {"accepted": 60, "arrived": 60, "twice": 0, "signed": 0}


@needs_compiler
def test_signed_mail_is_seen_as_signed(tmp_path: Path) -> None:
    found = verify(Postroad(), messages=20, octets=2048, key=signing_key(tmp_path))
    assert (found["arrived"], found["signed"]) == (20, 20)


@needs_compiler
def test_lost_mail_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad_bench.mta.sink.QUIET_SECONDS", 0.2)
    with pytest.raises(OperationError, match="0 of 60 messages"):
        verify(Swallower(), messages=60, octets=2048)


@needs_postfix
@pytest.mark.parametrize("system", [Postroad(), Postroad(workers=2), Postfix()], ids=lambda system: system.name)
def test_a_round_has_rates_processor_time_and_memory(system: System) -> None:
    relayed = relay(system, messages=200, octets=2048)
    held = accept(system, messages=200, octets=2048)
    assert min(relayed.accepted, relayed.delivered, relayed.peak_mib, held.accepted) > 0
    assert 0 < relayed.busy <= 1
    assert held.delivered == 0


def test_the_queues_folder_is_gone_afterwards_and_lies_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    with folder_on_disk() as folder:
        assert folder.stat().st_mode & 0o777 == 0o755
    assert not folder.exists()
    monkeypatch.setattr("postroad_bench.mta.round.file_system", lambda _: "tmpfs")
    with pytest.raises(OperationError, match="is a tmpfs"), folder_on_disk():
        pass


def test_a_file_system_is_known_by_its_kind() -> None:
    assert file_system(Path("/dev/shm")) == "tmpfs"
    assert file_system(Path("/proc")) == "proc"


def test_a_machine_is_busy_while_its_processors_are_not_idle(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 50 800 40 0 0 7 3 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    before = processor_time(stat)
    stat.write_text("cpu  150 10 60 830 50 0 0 999 3 0\n")
    assert processor_time(stat).busy_since(before) == pytest.approx(0.6)
    assert before.busy_since(before) == 0


def test_processor_time_is_also_that_of_children_that_ended(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    lines = ["import subprocess, sys, time", f"subprocess.run([sys.executable, '-c', {burn!r}])"]
    script = "\n".join([*lines, "print('ended', flush=True)", "time.sleep(60)"])
    log = tmp_path / "log"
    with process([sys.executable, "-c", script], log=log, cwd=tmp_path) as pid:
        while "ended" not in log.read_text():
            pass
        assert Server(0, [pid]).cpu_seconds() >= 0.3


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(OperationError, match="no-such-mta isn't"), process(["no-such-mta"], log=log, cwd=tmp_path):
        pass


def test_a_server_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    class Broken(Postroad):
        def _config(self, task: Task) -> str:
            return "nonsense = true\n"

    task = Task(tmp_path, 1, 1)
    with pytest.raises(OperationError, match=r"no mail on port 1: .*nonsense: unknown key"), Broken().running(task):
        pass


def test_the_suite_leaves_no_process(tmp_path: Path) -> None:
    with process([sys.executable, "-c", "input()"], log=tmp_path / "log", cwd=tmp_path) as pid:
        pass
    assert subprocess.run(["kill", "-0", str(pid)], capture_output=True, check=False).returncode != 0

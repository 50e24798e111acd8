"""A benchmark that is told to end takes along what it started."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from postroad_bench.mta.server import running
from postroad_region.hypervisor.hosts import process_tree

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_runs_after_sigterm(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "postroad_bench.cli", "--suite", "mta", "--case", "slow-world", "--rounds", "1"]
    environment = {**os.environ, "POSTROAD_CACHE": str(tmp_path)}
    bench = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # nsd and its children, the sink, our MTA, the load.
        wait_until(lambda: len(process_tree(bench.pid)) >= 6)
        started = process_tree(bench.pid)[1:]
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(30) != 0
    finally:
        bench.kill()
        bench.wait()
    wait_until(lambda: not any(running(pid) for pid in started))
    assert list((tmp_path / "bench").iterdir()) == []

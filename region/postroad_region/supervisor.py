"""Keeps the daemon running: starts it again when it ends, whatever ended it, until told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

import structlog

from postroad_region.paths import Paths
from postroad_region.process import Command, Process

log = structlog.get_logger("supervisor")

FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 5.0
# A daemon that lived this long was well; the wait starts over.
WELL_SECONDS = 3.0


def process(paths: Paths) -> Process:
    """The supervisor as a process of this machine."""
    return Process("supervisor", run_dir=paths.run, log_file=paths.logs / "daemon.log")


def command(paths: Paths) -> Command:
    """What runs it."""
    return Command(
        argv=[sys.executable, "-m", "postroad_region", "supervise"],
        environment={
            "POSTROAD_REGION_STATE": str(paths.state),
            "POSTROAD_REGION_RUN": str(paths.run),
            "POSTROAD_CACHE": str(paths.cache),
            "HOME": "/root",
        },
    )


def supervise() -> int:
    """Run the daemon until SIGTERM; the daemon's exit code when it ended by itself with 0."""
    child: subprocess.Popen[bytes] | None = None
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    wait = FIRST_WAIT_SECONDS
    while not stopping:
        started = time.monotonic()
        # Its own session: a signal to the supervisor's group doesn't reach it.
        child = subprocess.Popen([sys.executable, "-m", "postroad_region", "serve"], start_new_session=True)
        code = child.wait()
        if stopping or code == 0:
            return 0
        wait = FIRST_WAIT_SECONDS if time.monotonic() - started > WELL_SECONDS else min(wait * 2, LONGEST_WAIT_SECONDS)
        log.warning("daemon ended", code=code, again_in=wait, pid=os.getpid())
        time.sleep(wait)
    return 0

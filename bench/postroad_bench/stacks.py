"""`pulumi up` on every project of stack `local` from nothing, again, and `pulumi destroy` until nothing is left."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from postroad_ops import hosts, places, stack
from postroad_ops.account import holdings, leftovers
from postroad_ops.faults import OperationError
from postroad_ops.steps import Steps
from postroad_ops.up import STACK, apply_stacks, pulumi_program
from postroad_region import daemon
from postroad_region.hypervisor import hosts as containers
from rich.console import Console

GONE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Life:
    """One life of the stacks, in seconds.

    Args:
        left: what the account has afterwards that it hadn't before, by kind.
        hosts_gone: from the end of `destroy` to the machine without hosts.
    """

    up: float
    again: float
    destroy: float
    left: dict[str, list[str]]
    hosts_gone: float


def lives(count: int) -> list[Life]:
    """Build and destroy the stacks so often, in a new region without any; leaves the region up and empty.

    Raises:
        OperationError: one of the commands failed.
    """
    _run(places.program("postroad-ops"), "down")
    _run(places.program("postroad-region"), "up")
    return [_life() for _ in range(count)]


def _life() -> Life:
    before = holdings(partial(hosts.client, stack=STACK))
    up, again = _timed(_apply), _timed(_apply)
    destroy = _timed(_destroy)
    left = leftovers(before, holdings(partial(hosts.client, stack=STACK)))
    gone = _timed(_wait_for_no_host)
    return Life(up, again, destroy, {kind: sorted(names) for kind, names in left.items()}, gone)


def _timed(action: Callable[[], None]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def _apply() -> None:
    with tempfile.TemporaryDirectory(prefix="postroad-bench-") as folder:
        apply_stacks(Steps(Console(quiet=True), Path(folder) / "log"))


def _destroy() -> None:
    with stack.attached_provider(places.ROOT / ".cache" / "provider.log") as port:
        for project in reversed(places.PROJECTS):
            environment = stack.environment(STACK, provider_port=port)
            command = [pulumi_program(environment), "destroy", "--yes", "--skip-preview", "--stack", STACK]
            _run(*command, cwd=stack.project_folder(project), environment=environment)


def _wait_for_no_host() -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while (left := containers.all_hosts()) or not (daemon.status() or {}).get("settled"):
        if time.monotonic() > deadline:
            raise OperationError(f"hosts stay after `pulumi destroy`: {', '.join(left)}", remedy="see: make status")
        time.sleep(0.05)


def _run(*command: str, cwd: Path | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=None if environment is None else {**os.environ, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise OperationError(f"`{' '.join(command)}` failed: {said}", remedy="run: make up")

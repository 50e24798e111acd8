"""Native commands: run one, or fail with one line that names it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from postroad_region.errors import RegionError


def run(arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 120.0) -> str:
    """Run a command to its end; its standard output.

    Raises:
        RegionError: it can't be started, fails, or takes longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            list(arguments), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        raise RegionError(f"{arguments[0]} is not installed", remedy="run: make env") from None
    except subprocess.TimeoutExpired:
        raise RegionError(f"`{' '.join(arguments)}` took longer than {timeout:.0f} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise RegionError(f"`{' '.join(arguments)}` failed with {done.returncode}: {lines[-1]}")
    return done.stdout


def succeeds(arguments: Sequence[str]) -> bool:
    """Whether a command ends with 0; its output is dropped."""
    return subprocess.run(list(arguments), capture_output=True, check=False).returncode == 0


def run_json(arguments: Sequence[str]) -> Any:
    """Run a command that prints JSON; what it printed, an empty list for nothing."""
    return json.loads(run(arguments).strip() or "[]")

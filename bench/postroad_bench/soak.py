"""Suite `soak`: the facts of `make test` with full counts. It says how often a fact held; a failure ends it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from postroad_ops import places
from postroad_ops.faults import OperationError

from postroad_bench.result import Case

KILLS = 100


def measure(rounds: int, only: list[str]) -> Iterator[Case]:
    """Each campaign once; `rounds` doesn't matter.

    Raises:
        OperationError: a fact didn't hold.
    """
    if not only or "killed-at-random" in only:
        yield _killed_at_random()


def _killed_at_random() -> Case:
    """The daemon killed at random moments of random operations: how often the machine became what the API says."""
    with tempfile.TemporaryDirectory(prefix="postroad-soak-") as scratch:
        report = Path(scratch) / "report.json"
        command = [places.program("python"), "-m", "pytest", "-q", "-s", "tests/e2e/test_killed_at_random.py"]
        environment = {**os.environ, "POSTROAD_KILLS": str(KILLS), "POSTROAD_REPORT": str(report)}
        done = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(
                f"the campaign failed: {done.stdout.strip()[-600:]}", remedy="repeat it with that seed: POSTROAD_SEED=…"
            )
        found = json.loads(report.read_text())
    return campaign(found)


def campaign(report: dict[str, Any]) -> Case:
    """How often the machine converged, in seconds from each kill, and the slowest by operation."""
    seconds = [float(each["seconds"]) for each in report["converged"]]
    slowest: dict[str, float] = {}
    for each in report["converged"]:
        name = str(each["operation"])
        slowest[name] = max(slowest.get(name, 0.0), float(each["seconds"]))
    notes = {"seed": report["seed"], "slowest_s": dict(sorted(slowest.items(), key=lambda item: -item[1]))}
    return Case("killed-at-random", f"of {len(seconds)} converged", len(seconds), seconds, notes=notes)

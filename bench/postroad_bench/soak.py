"""Suite `soak`: the facts of `make test` with full counts. It says how often a fact held; a failure ends it."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from postroad_ops import places
from postroad_ops.faults import OperationError

from postroad_bench.result import Case

KILLS = 100
MTA_KILLS = 50
FUZZ_SECONDS = 120
"""For each target."""


def measure(rounds: int, only: list[str]) -> Iterator[Case]:
    """Each campaign once; `rounds` doesn't matter.

    Raises:
        OperationError: a fact didn't hold.
    """
    campaigns: dict[str, Callable[[], list[Case]]] = {
        "killed-at-random": _killed_at_random,
        "mta-killed-under-load": _mta_killed_under_load,
        "mta-fuzzed": _mta_fuzzed,
    }
    for name, run in campaigns.items():
        if not only or name in only:
            yield from run()


def _killed_at_random() -> list[Case]:
    """The daemon killed at random moments of random operations: how often the machine became what the API says."""
    (report,) = _reports("tests/e2e/test_killed_at_random.py", POSTROAD_KILLS=str(KILLS))
    return [campaign(report)]


def _mta_killed_under_load() -> list[Case]:
    """The MTA killed with SIGKILL under load, by itself and with two workers: what became of the mail."""
    reports = _reports("tests/faults/test_sigkill_under_load.py", POSTROAD_KILLS=str(MTA_KILLS))
    return [killed(report) for report in reports]


def _mta_fuzzed() -> list[Case]:
    """Each target of the fuzzers, for longer than `make test` does."""
    reports = _reports("tests/fuzz/test_fuzz.py", POSTROAD_FUZZ_SECONDS=str(FUZZ_SECONDS))
    return [fuzzed(reports)]


def _reports(test: str, **settings: str) -> list[dict[str, Any]]:
    """What a test tells of its runs, a line of JSON each.

    Raises:
        OperationError: it failed.
    """
    with tempfile.TemporaryDirectory(prefix="postroad-soak-") as scratch:
        report = Path(scratch) / "report.json"
        command = [places.program("python"), "-m", "pytest", "-q", "-s", test]
        environment = {**os.environ, **settings, "POSTROAD_REPORT": str(report)}
        done = subprocess.run(command, cwd=places.ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OperationError(
                f"{test} failed: {done.stdout.strip()[-1200:]}", remedy="repeat it with that seed: POSTROAD_SEED=…"
            )
        return [json.loads(line) for line in report.read_text().splitlines()]


def killed(report: dict[str, Any]) -> Case:
    """How many accepted messages were lost by kills: none, or there is no report."""
    workers = int(report["workers"])
    name = "mta-killed-under-load" if workers == 1 else f"mta-killed-under-load-workers-{workers}"
    return Case(name, f"of {report['accepted']} accepted lost", 0, [0], notes=report)


def fuzzed(reports: list[dict[str, Any]]) -> Case:
    """How many inputs broke nothing, and how many of them each target had."""
    inputs = [int(report["inputs"]) for report in reports]
    notes = {"seed": reports[0]["seed"], "inputs": {str(report["target"]): report["inputs"] for report in reports}}
    return Case(
        "mta-fuzzed", f"inputs in {FUZZ_SECONDS} s of each of {len(reports)} targets", sum(inputs), inputs, notes=notes
    )


def campaign(report: dict[str, Any]) -> Case:
    """How often the machine converged, in seconds from each kill, and the slowest by operation."""
    seconds = [float(each["seconds"]) for each in report["converged"]]
    slowest: dict[str, float] = {}
    for each in report["converged"]:
        name = str(each["operation"])
        slowest[name] = max(slowest.get(name, 0.0), float(each["seconds"]))
    notes = {"seed": report["seed"], "slowest_s": dict(sorted(slowest.items(), key=lambda item: -item[1]))}
    return Case("killed-at-random", f"of {len(seconds)} converged", len(seconds), seconds, notes=notes)

"""`make test`: everything that must hold, fast to slow, with what each stage printed and a table at the end."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from postroad_ops import delivery, places
from postroad_ops.faults import OperationError
from postroad_ops.up import ansible_environment

SHELL_SCRIPTS = (
    "tools/env.sh",
    "tools/lock.sh",
    "tools/pulumi/build.sh",
    ".ci/run",
    "region/postroad_region/hypervisor/image/customize.sh",
)
GIVING_WAY = ("nice", "-n", "5")
PYTHON_TREES = ("mta", "region", "ops", "bench", "pulumi", "tests", "ansible")
MYPY_TREES = (
    "mta/postroad",
    "region/postroad_region",
    "ops/postroad_ops",
    "bench/postroad_bench",
    "pulumi/postroad_infra",
)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the suite: commands that all have to end with 0.

    Args:
        cwd: below the checkout.
        at_once: how many commands run at a time; their output is shown whole, one after the other.
        beside: runs beside the other stages, which give way to it: its steps wait for each other, and take longest.
            Its output is shown whole at its end.
        before: commands that come first, one by one.
    """

    name: str
    commands: Sequence[Sequence[str]]
    cwd: str = "."
    environment: dict[str, str] = field(default_factory=dict)
    at_once: int = 1
    beside: bool = False
    before: Sequence[Sequence[str]] = ()


def python(*arguments: str) -> tuple[str, ...]:
    """A module of the environment's interpreter."""
    return (places.program("python"), "-m", *arguments)


def checks() -> Stage:
    """Lint and types."""
    return Stage(
        "checks",
        [
            python("ruff", "check", "--quiet", *PYTHON_TREES),
            python("ruff", "format", "--check", "--quiet", *PYTHON_TREES),
            python("mypy", *MYPY_TREES),
            (places.program("yamllint"), "--strict", "-c", "ansible/.yamllint", "ansible", "pulumi", "region"),
            ("shellcheck", *SHELL_SCRIPTS),
        ],
    )


def ansible_lint() -> Stage:
    """ansible-lint, profile production."""
    return Stage(
        "ansible-lint",
        [(places.program("ansible-lint"), "--offline", "--profile", "production", "playbooks", "roles")],
        cwd="ansible",
        environment=ansible_environment(),
    )


def units() -> Stage:
    """Everything that needs no running region."""
    parallel = ("-n", "2", "--dist", "loadfile")
    return Stage(
        "tests",
        [
            python(
                "pytest",
                "-q",
                "--durations=15",
                *parallel,
                "-m",
                "not region",
                "tests",
                "--ignore=tests/smoke",
                "--ignore=tests/e2e",
            )
        ],
    )


def plans() -> Stage:
    """`make plan` of every stack that isn't the region's."""
    ops = places.program("postroad-ops")
    return Stage("plans", [(ops, "plan", "--stack", stack) for stack in places.STACKS if stack != "local"], at_once=2)


def roles() -> Stage:
    """The molecule scenario of every role."""
    scenarios = sorted(path.parent.name for path in (places.ROOT / "ansible" / "molecule").glob("*/molecule.yml"))
    image = (places.program("postroad-region"), "image")
    tests = [(places.program("molecule"), "test", "--scenario-name", name) for name in scenarios]
    return Stage("molecule", tests, cwd="ansible", environment=ansible_environment(), at_once=2, before=[image])


def region() -> Stage:
    """The region from nothing or as it stands, then what only a running one can show."""
    ops = places.program("postroad-ops")
    return Stage("region", [(ops, "up"), python("pytest", "-q", "--durations=25", "tests/e2e")], beside=True)


def run(console: Console, *, only: Sequence[str] = ()) -> None:
    """Run the stages in order; a failed one doesn't keep the others from telling what they know.

    A region that runs is used and left up; one that was started for the tests is removed.

    Raises:
        OperationError: a stage failed, or `only` names none.
    """
    stages = [checks(), units(), ansible_lint(), plans(), roles(), region()]
    known = [stage.name for stage in stages]
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise OperationError(f"there is no stage {', '.join(unknown)}", remedy=f"choose of: {', '.join(known)}")
    chosen = [stage for stage in stages if not only or stage.name in only]
    was_up = (
        subprocess.run([places.program("postroad-region"), "status"], capture_output=True, check=False).returncode == 0
    )
    if was_up and any(stage.name == "region" for stage in chosen):
        delivery.providers().reset()
    results: list[tuple[str, bool, float]] = []
    try:
        with ThreadPoolExecutor() as pool:
            beside = [pool.submit(_run_captured, stage) for stage in chosen if stage.beside]
            results += [_run_stage(console, stage) for stage in chosen if not stage.beside]
            for result, said in (future.result() for future in beside):
                os.write(1, said)
                results.append(result)
    finally:
        if not was_up and any(stage.name == "region" for stage in chosen):
            results.append(_run_stage(console, Stage("region removed", [(places.program("postroad-ops"), "down")])))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("stage", "", "seconds"):
        table.add_column(column)
    for name, passed, seconds in results:
        table.add_row(name, "[green]passed[/]" if passed else "[red]failed[/]", f"{seconds:.0f}")
    console.print(table)
    failed = [name for name, passed, _ in results if not passed]
    console.print(f"stages: {len(results) - len(failed)} passed, {len(failed)} failed", highlight=False)
    if failed:
        raise OperationError(
            f"failed: {', '.join(failed)}", remedy=f"repeat one: .venv/bin/postroad-ops test {failed[0]}"
        )


def _run_captured(stage: Stage) -> tuple[tuple[str, bool, float], bytes]:
    """A stage whose output is kept for later."""
    with tempfile.TemporaryFile() as output:
        text = io.TextIOWrapper(os.fdopen(os.dup(output.fileno()), "wb", buffering=0), write_through=True)
        with text:
            result = _run_stage(Console(file=text, width=150), stage, output=output.fileno())
        output.seek(0)
        return result, output.read()


def _run_stage(console: Console, stage: Stage, *, output: int | None = None) -> tuple[str, bool, float]:
    console.rule(stage.name, align="left")
    began = time.monotonic()
    bin_dir = str(Path(places.program("python")).parent)
    environment = {**os.environ, "PATH": f"{bin_dir}:{os.environ.get('PATH', '')}", **stage.environment}
    folder = places.ROOT / stage.cwd

    def run_one(command: Sequence[str]) -> bool:
        done = subprocess.run(
            command if stage.beside else [*GIVING_WAY, *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stage.at_once > 1 else output,
            stderr=subprocess.STDOUT if stage.at_once > 1 or output is not None else None,
            check=False,
        )
        if done.stdout:
            os.write(1 if output is None else output, done.stdout)
        if done.returncode != 0:
            said = f"[red]failed with {done.returncode}:[/] {' '.join(command)}"
            console.print(said, highlight=False, soft_wrap=True)
        return done.returncode == 0

    passed = bool(stage.commands) and all(map(run_one, stage.before))
    if passed:
        with ThreadPoolExecutor(stage.at_once) as pool:
            # One at a time stops at the first failure; several at once all say what they know.
            passed = all(pool.map(run_one, stage.commands) if stage.at_once > 1 else map(run_one, stage.commands))
    return stage.name, passed, time.monotonic() - began

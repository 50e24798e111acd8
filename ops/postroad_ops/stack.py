"""Pulumi as Postroad runs it: the native command, with the region's provider attached where the stack is `local`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postroad_ops import places
from postroad_ops.faults import OperationError

CHANGES = re.compile(
    r"^\s+([+~-]|\+-|\+\+|±)?\s*(\d+) (created|updated|deleted|replaced|unchanged|to create|to update)", re.MULTILINE
)
LOCAL = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:5580",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "postroad",
    "AWS_SECRET_ACCESS_KEY": "postroad",
    # A daemon that was killed is back within seconds; its callers wait that long.
    "AWS_RETRY_MODE": "standard",
    "AWS_MAX_ATTEMPTS": "10",
}


def project_folder(project: str) -> Path:
    """The project's folder in the checkout."""
    return places.ROOT / "pulumi" / project


def check_name(stack: str) -> None:
    """Refuse a stack that has no settings.

    Raises:
        OperationError: unknown stack.
    """
    if stack not in places.STACKS:
        raise OperationError(f"there is no stack {stack!r}", remedy=f"choose one of {', '.join(places.STACKS)}")


def check_settings(stack: str, *, folder: Path = places.ROOT / "pulumi") -> None:
    """Refuse settings that are wrong, in any project, before anything is touched.

    Raises:
        OperationError: a stack file can't be read, or says what can't be; each problem is a line.
    """
    # Here, because the settings' library takes a moment to load.
    from postroad_infra.settings.__main__ import ALL, check

    problems = [str(problem) for problem in check(ALL, stack, folder=folder)]
    if problems:
        raise OperationError("\n".join(problems), remedy="mend it and repeat the command")


def environment(stack: str, *, provider_port: int | None) -> dict[str, str]:
    """What `pulumi` gets beside the caller's environment.

    The state of `local` lies with the region, and is encrypted with a word that protects nothing: the box has no
    secrets. Every other stack keeps what the operator has set.
    """
    bin_dir = str(Path(places.program("python")).parent)
    variables = {
        "PATH": f"{bin_dir}:{os.environ.get('PATH', '')}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_HOME": str(places.cache() / "pulumi-home"),
    }
    if stack == "local":
        backend = places.region_state() / "pulumi"
        backend.mkdir(parents=True, exist_ok=True)
        variables |= {**LOCAL, "PULUMI_BACKEND_URL": f"file://{backend}", "PULUMI_CONFIG_PASSPHRASE": "region-in-a-box"}
    if provider_port is not None:
        variables["PULUMI_DEBUG_PROVIDERS"] = f"aws:{provider_port}"
    return variables


@contextmanager
def attached_provider(log: Path) -> Iterator[int]:
    """The stand-in aws provider for as long as the block runs; its port.

    Raises:
        OperationError: it doesn't start.
    """
    with log.open("ab") as errors:
        child = subprocess.Popen(
            [places.program("postroad-aws-provider"), "serve", "--port", "0"],
            env={**os.environ, **LOCAL},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        line = child.stdout.readline().decode().strip() if child.stdout else ""
        if not line.isdigit():
            raise OperationError("the stand-in aws provider didn't start", remedy=f"see {log}")
        yield int(line)
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def summary(output: str) -> str:
    """What a run of pulumi changed, in a few words."""
    counts = [f"{count} {kind}" for _, count, kind in CHANGES.findall(output)]
    return ", ".join(counts) or "no change"

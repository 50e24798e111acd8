"""The load generator and the counting sink: C programs, built when they are first wanted or have changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path

from postroad_ops import places
from postroad_ops.faults import OperationError

from postroad_bench.mta.packages import install

SOURCES = places.ROOT / "bench" / "loadgen"


@cache
def program(name: str) -> Path:
    """The built program of `bench/loadgen/NAME.c`.

    Raises:
        OperationError: it can't be built.
    """
    source = SOURCES / f"{name}.c"
    stamp = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    built = places.cache() / "loadgen" / f"{name}-{stamp}"
    if not built.exists():
        if (why := _compiler()) is not None:
            raise OperationError(f"{source} can't be built: {why}", remedy="install gcc")
        built.parent.mkdir(parents=True, exist_ok=True)
        fresh = built.with_name(f"{built.name}.{os.getpid()}")
        done = subprocess.run(
            ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(fresh), str(source)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise OperationError(f"{source} can't be built: {done.stderr.strip()[:300]}", remedy="repair it")
        fresh.rename(built)
    return built


def _compiler() -> str | None:
    return install("gcc") or install("libc6-dev")

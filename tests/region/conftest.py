"""Throw-away network namespaces: a place of its own for a test's addresses, without a way out."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Namespace:
    """A network namespace with a loopback interface and nothing else."""

    name: str

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run([*self.prefix, *command], capture_output=True, text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def hold(self, *addresses: str) -> None:
        for address in addresses:
            self.run("ip", "address", "add", f"{address}/32", "dev", "lo")


@pytest.fixture(scope="module")
def make_namespace() -> Iterator[Callable[..., Namespace]]:
    """Make namespaces that hold addresses; they are gone after the module, whatever happened in it."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made: list[Namespace] = []

    def make(*addresses: str) -> Namespace:
        namespace = Namespace(f"prt-{secrets.token_hex(4)}")
        subprocess.run(["ip", "netns", "add", namespace.name], check=True)
        made.append(namespace)
        namespace.run("ip", "link", "set", "lo", "up")
        namespace.hold(*addresses)
        return namespace

    try:
        yield make
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "delete", namespace.name], check=False)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path, as sockets' names need; pytest's own are too long."""
    path = Path(tempfile.mkdtemp(prefix="prt-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)

"""Releases move, and a bad one is taken back."""

import json
import shutil
from pathlib import Path

import pytest
from postroad_ops import artifacts, hosts, places
from postroad_ops.command import Operator
from postroad_ops.package import package


@pytest.fixture
def crashing_release(tmp_path: Path) -> str:
    """A release whose MTA ends at start, published like any other."""
    source = tmp_path / "mta"
    shutil.copytree(places.ROOT / "mta", source)
    with (source / "postroad" / "mta_command.py").open("a") as module:
        module.write('\n\ndef main() -> None:  # noqa: F811\n    raise SystemExit("this release crashes at start")\n')
    artifact = package(tmp_path / "dist", source=source, key=places.region_state() / "ssh" / "release_ed25519")
    artifacts.publish("local", artifact)
    return artifact.id


def releases() -> set[str]:
    return {host.release for host in hosts.of_stack("local") if host.tier != "resolver"}


def test_a_release_that_crashes_at_start_is_taken_back(operator: Operator, crashing_release: str) -> None:
    before = releases()
    assert len(before) == 1

    done = operator("deploy", "--release", crashing_release, expect=None)

    assert done.returncode != 0
    assert releases() == before
    assert {host.health for host in hosts.of_stack("local")} == {"ready"}
    report = json.loads(operator("send", "--count", "200", "--json").stdout)
    assert report["delivered"] == 200


def test_a_release_moves_forth_and_back(operator: Operator, tmp_path: Path) -> None:
    (before,) = releases()
    source = tmp_path / "mta"
    shutil.copytree(places.ROOT / "mta", source)
    with (source / "postroad" / "__init__.py").open("a") as module:
        module.write('\nNOTE = "another release"\n')
    artifact = package(tmp_path / "dist", source=source, key=places.region_state() / "ssh" / "release_ed25519")
    artifacts.publish("local", artifact)

    operator("deploy", "--release", artifact.id)
    assert releases() == {artifact.id}
    operator("rollback")
    assert releases() == {before}

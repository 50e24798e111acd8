"""Faults as a value: what is injected, taken back, written and read, and what ends by itself."""

import json
from pathlib import Path

import pytest
from postroad_region.errors import RegionError
from postroad_region.fabric.limits import Allowance
from postroad_region.faults.file import FaultsFile
from postroad_region.faults.model import Faults, parse

ALL = (
    Faults()
    .with_zone("us-east-1a", down=True)
    .with_partition("us-east-1b", "us-east-1a", cut=True)
    .with_frozen("i-1", frozen=True)
    .with_killed("i-2", killed=True)
    .with_disk("vol-1", free=0)
    .with_disk("vol-2", free=None, inodes=True)
    .with_limit("i-1", Allowance(resolver_pps=1024, bandwidth=1_250_000))
)


def test_everything_can_be_written_and_read_again() -> None:
    assert parse(json.loads(json.dumps(ALL.document()))) == ALL


def test_everything_can_be_taken_back() -> None:
    found = (
        ALL.with_zone("us-east-1a", down=False)
        .with_partition("us-east-1a", "us-east-1b", cut=False)
        .with_frozen("i-1", frozen=False)
        .with_killed("i-2", killed=False)
        .with_disk("vol-1", free=None)
        .with_disk("vol-2", free=None)
        .with_limit("i-1", None)
    )
    assert found == Faults()
    assert found.document() == {}


@pytest.mark.parametrize(
    ("instances", "volumes", "left"),
    [
        ({"i-1": "running", "i-2": "running"}, ["vol-1", "vol-2"], {"frozen", "killed", "disks", "inodes", "limits"}),
        # A stopped instance starts on other hardware; its type's limits are the same there.
        ({"i-1": "stopped", "i-2": "stopped"}, ["vol-1", "vol-2"], {"disks", "inodes", "limits"}),
        ({}, ["vol-1"], {"disks"}),
        ({}, [], set()),
    ],
)
def test_a_fault_ends_with_what_it_was_injected_into(
    instances: dict[str, str], volumes: list[str], left: set[str]
) -> None:
    assert set(ALL.without_gone(instances=instances, volumes=volumes).document()) == {
        "zones_down",
        "partitions",
        *left,
    }


def test_no_file_means_no_fault(tmp_path: Path) -> None:
    assert FaultsFile(tmp_path / "faults.json").read() == Faults()


def test_what_one_writer_changed_the_next_one_finds(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    FaultsFile(path).update(lambda faults: faults.with_zone("us-east-1a", down=True))
    FaultsFile(path).update(lambda faults: faults.with_frozen("i-1", frozen=True))
    assert FaultsFile(path).read().document() == {"zones_down": ["us-east-1a"], "frozen": ["i-1"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"zones": []}',
        '{"partitions": [["a"]]}',
        '{"disks": {"v": "x"}}',
        '{"limits": {"i": {"mtu": 1}}}',
    ],
)
def test_a_file_that_holds_something_else_is_said_in_one_line_with_what_to_do(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(RegionError) as caught:
        FaultsFile(path).read()
    assert str(caught.value).startswith(f"{path} doesn't hold faults: ")
    assert str(caught.value).endswith(f"remove {path}")
    assert "\n" not in str(caught.value)

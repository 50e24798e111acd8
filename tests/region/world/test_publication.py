"""The daemon looks again when the world wants other zones answered."""

from pathlib import Path

import pytest
from postroad_region.errors import RegionError
from postroad_region.internet import Internet
from postroad_region.paths import Paths
from postroad_region.world import World
from postroad_region.world.publication import tell_failing


def test_a_provider_whose_dns_fails_wants_a_look(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "run", tmp_path / "cache")
    internet = Internet(paths)
    assert not internet.needs_look()
    (paths.state / "world").mkdir(parents=True)
    tell_failing(paths.state / "world", [])
    assert not internet.needs_look()
    tell_failing(paths.state / "world", ["outlook"])
    assert internet.needs_look()


def test_a_wrong_file_is_a_fault_and_the_last_right_one_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    internet = Internet(Paths(tmp_path / "state", tmp_path / "run", tmp_path / "cache"))
    world = internet._load()

    def wrong() -> World:
        raise RegionError("world.yaml: providers: Field required")

    monkeypatch.setattr("postroad_region.internet.load_world", wrong)
    assert internet._load() is world
    assert internet.faults == {"world's file": "world.yaml: providers: Field required"}

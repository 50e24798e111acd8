"""The daemon looks again when the world wants other zones answered."""

from pathlib import Path

from postroad_region.internet import Internet
from postroad_region.paths import Paths
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

"""The operator's commands ask the world and steer it."""

import json
from typing import Any

import pytest
from postroad_region import cli
from postroad_region.commands import internet
from postroad_region.errors import RegionError
from typer.testing import CliRunner


class World:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def get(self, path: str) -> Any:
        self.asked.append(("GET", path))
        return {"running": []} if path == "/incidents" else {"path": path}

    def post(self, path: str) -> Any:
        self.asked.append(("POST", path))
        return {"id": "i1"}

    def delete(self, path: str) -> Any:
        self.asked.append(("DELETE", path))
        return {"ended": "i1"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(internet, "process", lambda: made)
    return made


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["world"], ("GET", "/counts")),
        (["world", "reputation"], ("GET", "/reputation")),
        (["incident"], ("GET", "/incidents")),
        (["incident", "outage", "provider=outlook", "duration=10m"],
         ("POST", "/incidents?kind=outage&provider=outlook&duration=10m")),
        (["incident", "--end", "i1"], ("DELETE", "/incidents/i1")),
        (["clock"], ("GET", "/clock")),
        (["clock", "--day", "60", "--advance", "1d"], ("POST", "/clock?day=60&advance=1d")),
    ],
)  # fmt: skip
def test_each_command_is_one_request(world: World, arguments: list[str], asked: tuple[str, str]) -> None:
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    assert world.asked == [asked]


def test_what_is_answered_is_printed(world: World) -> None:
    assert json.loads(CliRunner().invoke(cli.app, ["clock"]).output) == {"path": "/clock"}
    assert CliRunner().invoke(cli.app, ["incident"]).output == "no incident\n"


def test_a_setting_without_a_value_is_said(world: World) -> None:
    done = CliRunner().invoke(cli.app, ["incident", "outage", "outlook"])
    assert isinstance(done.exception, RegionError)
    assert "isn't name=value" in str(done.exception)
    assert world.asked == []

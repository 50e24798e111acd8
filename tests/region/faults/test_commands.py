"""The commands, with a daemon that makes true what it finds in the file."""

import json
from pathlib import Path
from typing import Any

import pytest
from postroad_region import cli, daemon
from postroad_region.commands import injection
from postroad_region.errors import RegionError
from postroad_region.fabric import limits
from postroad_region.fabric.limits import Allowance
from postroad_region.faults.file import FaultsFile
from postroad_region.faults.inventory import HostName
from postroad_region.faults.model import Faults
from typer.testing import CliRunner

MTA = HostName("i-0000000000001f2e3", "mta-a", "us-east-1a", ("10.20.1.4",), ("vol-1",))
PROXY = HostName("i-00000000000045678", "proxy-b", "us-east-1b")


class Region:
    """What stands for the daemon and its API."""

    def __init__(self, state: Path) -> None:
        self.file = FaultsFile(state / "faults.json")
        self.alive = True
        self.fault = ""

    def status(self, timeout: float = 5.0) -> dict[str, Any] | None:
        if not self.alive:
            return None
        faults = {"injected": self.fault} if self.fault else {}
        return {"injected": {"applied": not self.fault}, "faults": faults}

    def hosts(self) -> list[HostName]:
        return [MTA, PROXY]

    def zones(self) -> list[str]:
        return [MTA.zone, PROXY.zone]


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Region:
    made = Region(tmp_path)
    monkeypatch.setenv("POSTROAD_REGION_STATE", str(tmp_path))
    monkeypatch.setenv("POSTROAD_REGION_RUN", str(tmp_path / "run"))
    monkeypatch.setattr(daemon, "status", made.status)
    for module in ("injection", "limit", "faults"):
        monkeypatch.setattr(f"postroad_region.commands.{module}.inventory", lambda: made)
    monkeypatch.setattr(limits, "counters", dict)
    return made


def call(*arguments: str) -> str:
    done = CliRunner().invoke(cli.app, list(arguments), catch_exceptions=True)
    if isinstance(done.exception, RegionError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("command", "injected"),
    [
        ("zone down a", Faults().with_zone("us-east-1a", down=True)),
        ("partition b a", Faults().with_partition("us-east-1a", "us-east-1b", cut=True)),
        ("freeze mta-a", Faults().with_frozen(MTA.instance_id, frozen=True)),
        ("kill mta-a-1f2e3", Faults().with_killed(MTA.instance_id, killed=True)),
        ("disk mta-a --full", Faults().with_disk("vol-1", free=0)),
        ("disk mta-a --free 64M", Faults().with_disk("vol-1", free=64 << 20)),
        ("disk mta-a --inodes", Faults().with_disk("vol-1", free=None, inodes=True)),
        ("limit proxy-b --resolver-pps 1024", Faults().with_limit(PROXY.instance_id, Allowance(resolver_pps=1024))),
        ("limit proxy-b --bandwidth 8Mbit", Faults().with_limit(PROXY.instance_id, Allowance(bandwidth=1_000_000))),
    ],
)
@pytest.mark.parametrize("undo", ["own", "clear"])
def test_each_fault_is_injected_shown_and_taken_back_as_shown(
    region: Region, command: str, injected: Faults, undo: str
) -> None:
    call(*command.split())
    assert region.file.read() == injected
    assert json.loads(call("faults", "--json")) == injected.document()
    shown = call("faults")
    (back,) = (line.split("postroad-region ")[1] for line in shown.splitlines())
    call(*(back.split() if undo == "own" else ["faults", "--clear"]))
    assert region.file.read() == Faults()
    assert call("faults") == "nothing is injected\n"


def test_limits_add_up_and_are_shown_with_their_counters(region: Region) -> None:
    call("limit", "proxy-b", "--pps", "5000")
    call("limit", "proxy-b", "--resolver-pps", "1024")
    shown = json.loads(call("limit", "proxy-b", "--json"))
    assert shown["allowance"] == {"resolver_pps": 1024, "pps": 5000}
    assert set(shown["counters"]) == set(limits.COUNTERS)
    assert [entry["host"] for entry in json.loads(call("limit", "--json"))] == ["proxy-b-45678"]
    call("limit", "proxy-b", "--off")
    assert call("limit") == "no host is limited\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("zone down x", "there is no zone 'x'; there are: a, b"),
        ("partition a a", "us-east-1a can't be cut from itself"),
        ("freeze nobody", "there is no host 'nobody'; there are: mta-a, proxy-b"),
        ("disk proxy-b --full", "proxy-b-45678 has no volume of its own"),
        ("disk mta-a", "say one of --full, --free SIZE, --inodes, --off"),
        ("disk mta-a --full --off", "say one of --full, --free SIZE, --inodes, --off"),
        ("disk mta-a --free much", "'much' isn't a size"),
        ("limit --pps 5", "say which host"),
        ("limit mta-a --bandwidth 5", "'5' isn't a rate"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_injects_nothing(region: Region, command: str, said: str) -> None:
    with pytest.raises(RegionError) as caught:
        call(*command.split())
    assert str(caught.value).startswith(said)
    assert region.file.read() == Faults()


def test_without_a_region_it_says_so(region: Region) -> None:
    region.alive = False
    with pytest.raises(RegionError, match="no region runs on this machine; run: make up"):
        call("zone", "down", "a")


def test_a_daemon_that_is_just_starting_again_is_waited_for(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []

    class Supervisor:
        def running(self) -> object:
            looks.append(None)
            region.alive = len(looks) > 2
            return self

    monkeypatch.setattr(injection.supervisor, "process", lambda _: Supervisor())
    region.alive = False
    call("zone", "down", "a")
    assert region.file.read().zones_down == {"us-east-1a"}


def test_what_cannot_be_made_true_is_said_with_its_reason(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injection, "FAULT_SECONDS", 0.0)
    region.fault = "vol-1 is a plain folder"
    with pytest.raises(RegionError, match="not in force yet: vol-1 is a plain folder"):
        call("disk", "mta-a", "--full")

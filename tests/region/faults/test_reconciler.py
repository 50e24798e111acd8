"""The reconciler with faults injected: what it starts, stops and leaves alone, on a machine that is pretended."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from postroad_region import reconciler
from postroad_region.api.snapshot import Snapshot
from postroad_region.fabric.model import Fabric, Interface, Subnet
from postroad_region.faults import enforcer
from postroad_region.faults.file import FaultsFile
from postroad_region.hypervisor import bakery
from postroad_region.hypervisor.hosts import Host
from postroad_region.hypervisor.model import Instance
from postroad_region.paths import Paths

INSTANCE = "i-0123456789abcdef0"
SUBNET = Subnet("subnet-a", "vpc-1", IPv4Network("10.20.0.0/24"), "us-east-1a", "rtb-1")
ENI = Interface("eni-0123456789abcdef0", INSTANCE, SUBNET, (IPv4Address("10.20.0.5"),), "02:00:00:00:00:05")


class Machine:
    """podman, nftables, mounts and control groups, as far as the reconciler asks them."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.running: dict[str, int] = {}
        self.present: set[str] = set()
        self.frozen: set[int] = set()

    def all_hosts(self) -> dict[str, Host]:
        return {name: Host(name, name in self.running, self.running.get(name, 0)) for name in self.present}

    def create(self, instance: Instance, **_: Any) -> None:
        self.present.add(instance.id)

    def start(self, instance_id: str) -> None:
        self.done.append("start")
        self.running[instance_id] = 4_000_000 + len(self.done)

    def stop(self, instance_id: str) -> None:
        assert self.running.pop(instance_id) not in self.frozen
        self.done.append("stop")

    def remove(self, instance_id: str) -> None:
        assert self.running.pop(instance_id, 0) not in self.frozen
        self.present.discard(instance_id)
        self.done.append("remove")

    def image_for(self, *_: Any, **__: Any) -> str:
        return "image"

    def kill(self, pid: int, _: int) -> None:
        self.done.append("kill")
        self.running = {name: each for name, each in self.running.items() if each != pid}

    def set_frozen(self, pid: int, *, frozen: bool) -> None:
        (self.frozen.add if frozen else self.frozen.discard)(pid)

    def load_rules(self, text: str) -> None:
        for table in ("postroad_faults", "postroad_limits"):
            if f"table ip {table}\n" in text:
                self.done.append(f"{table} {'on' if '{' in text else 'off'}")

    def nothing(self, *_: Any, **__: Any) -> set[str]:
        return set()

    def __getattr__(self, name: str) -> Any:
        return self.nothing

    def take(self) -> list[str]:
        """What was done since it was last asked."""
        done, self.done = self.done, []
        return done


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    for name in ("hosts", "images", "links", "volumes"):
        monkeypatch.setattr(reconciler, name, made)
    for name in ("hosts", "images"):
        monkeypatch.setattr(bakery, name, made)
    for name in ("freezer", "links"):
        monkeypatch.setattr(enforcer, name, made)
    monkeypatch.setattr(reconciler, "Interfaces", lambda: made)
    monkeypatch.setattr(enforcer.os, "kill", made.kill)
    monkeypatch.setattr(enforcer.limits, "counters", dict)
    return made


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "instances").mkdir()
    return Paths(tmp_path, tmp_path, tmp_path)


def wanted(state: str = "running") -> Snapshot:
    instance = Instance(
        INSTANCE, state, "ami-1", "t3.small", "us-east-1a", "us-east-1", "1", (ENI,), IPv4Address("10.20.0.2")
    )
    fabric = Fabric((("vpc-1", IPv4Network("10.20.0.0/16")),), (SUBNET,), interfaces=(ENI,))
    return Snapshot(fabric, (instance,), (), ())


def restarted(paths: Paths) -> reconciler.Reconciler:
    return reconciler.Reconciler(paths, "image")


def test_a_killed_host_stays_dead_over_restarts_until_its_hardware_is_whole(machine: Machine, paths: Paths) -> None:
    file = FaultsFile(paths.faults)
    one = restarted(paths)
    assert one.reconcile(wanted()).faults == {}
    assert "start" in machine.take()
    file.update(lambda faults: faults.with_killed(INSTANCE, killed=True))
    assert one.needs_look()
    one.reconcile(wanted())
    assert machine.take() == ["postroad_faults on", "kill"]
    again = restarted(paths)
    again.reconcile(wanted())
    assert "start" not in machine.take()
    assert again.injected.impaired() == {INSTANCE}
    file.update(lambda faults: faults.with_killed(INSTANCE, killed=False))
    again.reconcile(wanted())
    assert machine.take() == ["postroad_faults off", "start"]


def test_a_killed_instance_that_is_stopped_starts_on_whole_hardware(machine: Machine, paths: Paths) -> None:
    one = restarted(paths)
    one.reconcile(wanted())
    FaultsFile(paths.faults).update(lambda faults: faults.with_killed(INSTANCE, killed=True))
    one.reconcile(wanted())
    one.reconcile(wanted("stopped"))
    machine.take()
    one.reconcile(wanted())
    assert "start" in machine.take()


@pytest.mark.parametrize(
    ("after", "done"), [(wanted("stopped"), "stop"), (replace(wanted(), instances=()), "remove")], ids=["stop", "end"]
)
def test_a_frozen_host_can_be_stopped_and_removed(machine: Machine, paths: Paths, after: Snapshot, done: str) -> None:
    one = restarted(paths)
    one.reconcile(wanted())
    FaultsFile(paths.faults).update(lambda faults: faults.with_frozen(INSTANCE, frozen=True))
    one.reconcile(wanted())
    assert set(machine.running.values()) == machine.frozen
    machine.take()
    assert one.reconcile(after).faults == {}
    assert done in machine.take()
    assert FaultsFile(paths.faults).read().document() == {}


def test_rules_are_loaded_only_when_what_is_injected_changes(machine: Machine, paths: Paths) -> None:
    one = restarted(paths)
    one.reconcile(wanted())
    machine.take()
    one.reconcile(wanted())
    assert machine.take() == []
    FaultsFile(paths.faults).update(lambda faults: faults.with_zone("us-east-1a", down=True))
    one.reconcile(wanted())
    assert machine.take() == ["postroad_faults on"]


def test_a_file_that_holds_no_faults_is_a_fault_and_keeps_what_was_injected(machine: Machine, paths: Paths) -> None:
    file = FaultsFile(paths.faults)
    file.update(lambda faults: faults.with_zone("us-east-1a", down=True))
    one = restarted(paths)
    one.reconcile(wanted())
    machine.take()
    paths.faults.write_text("{")
    assert "doesn't hold faults" in one.reconcile(wanted()).faults["injected"]
    assert machine.take() == []

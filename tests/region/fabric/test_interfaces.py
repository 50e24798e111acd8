"""Links over many passes: made once, made again when they are gone or changed."""

import json
import subprocess
import time
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from postroad_region import addresses
from postroad_region.fabric import interfaces, links
from postroad_region.fabric.interfaces import Interfaces
from postroad_region.fabric.model import Rule, SecurityGroup

pytestmark = pytest.mark.root


@pytest.fixture
def ensured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The links that were looked at, in order."""
    looked: list[str] = []
    original = links.ensure_interface

    def ensure(interface: Any) -> None:
        looked.append(interface.link)
        original(interface)

    monkeypatch.setattr(links, "ensure_interface", ensure)
    return looked


def test_what_is_there_is_not_touched_again_until_a_full_look(
    lab: Any, ensured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = lab.host("a"), lab.host("b")
    wanted = [one.interface, two.interface]
    subject = Interfaces()
    ensured.clear()
    subject.ensure(wanted)
    assert ensured == [one.interface.link, two.interface.link]
    subject.ensure(wanted)
    assert len(ensured) == 2
    monkeypatch.setattr(interfaces, "FULL_LOOK_SECONDS", 0.0)
    subject.ensure(wanted)
    assert len(ensured) == 4


def test_a_link_that_went_with_its_namespace_is_made_again(lab: Any, ensured: list[str]) -> None:
    rules = (Rule("all", None, (lab.routes.routes[0].destination,)),)
    lab.groups = {"sg-open": SecurityGroup("sg-open", rules, rules)}
    one, two = lab.host("a"), lab.host("b")
    subject = Interfaces()
    subject.ensure([one.interface, two.interface])
    subprocess.run(["ip", "netns", "del", two.interface.instance_id], check=True)
    ensured.clear()
    # The kernel takes a namespace down in its own time; the link is gone or has another index afterwards.
    deadline = time.monotonic() + 5
    while two.interface.link in interfaces._indices():
        assert time.monotonic() < deadline
    subject.ensure([one.interface, two.interface])
    assert ensured == [two.interface.link]
    lab.load()
    assert one.reaches(two, 25)


def test_a_changed_interface_is_looked_at(lab: Any, ensured: list[str]) -> None:
    one = lab.host("a")
    subject = Interfaces()
    subject.ensure([one.interface])
    ensured.clear()
    second = IPv4Address(int(one.interface.addresses[0]) + 100)
    subject.ensure([replace(one.interface, addresses=(*one.interface.addresses, second))])
    assert ensured == [one.interface.link]
    routes = links.run(["ip", "-n", addresses.FABRIC, "route", "show", str(second)])
    assert one.interface.link in routes


def hot(one: Any, identifier: str = "eni-0123456789abcdef0", last: int = 200) -> Any:
    """An interface that is attached to a running host."""
    address = IPv4Address(int(one.interface.subnet.network.network_address) + last)
    return replace(
        one.interface, id=identifier, addresses=(address,), mac=f"02:00:00:00:01:{last:02x}", index=1, public=()
    )


def devices(namespace: str) -> dict[str, str]:
    """The hardware addresses of a namespace's devices, by name."""
    listed = json.loads(links.run(["ip", "-n", namespace, "-j", "link", "show"]))
    return {entry["ifname"]: entry["address"] for entry in listed if entry["ifname"] != "lo"}


def test_an_interface_attached_later_is_there_and_the_host_plumbs_it(lab: Any) -> None:
    one = lab.host("a")
    added = hot(one)
    Interfaces().ensure([one.interface, added])
    assert devices(one.interface.instance_id) == {"ens5": one.interface.mac, "ens6": added.mac}
    shown = links.run(["ip", "-n", one.interface.instance_id, "-br", "address", "show", "ens6"])
    assert str(added.addresses[0]) not in shown
    routes = links.run(["ip", "-n", addresses.FABRIC, "route", "show", str(added.addresses[0])])
    assert added.link in routes


def test_an_interface_moves_to_another_host_with_its_addresses(lab: Any) -> None:
    one, two = lab.host("a"), lab.host("a")
    added = hot(one)
    subject = Interfaces()
    subject.ensure([one.interface, two.interface, added])
    moved = replace(added, instance_id=two.interface.instance_id)
    subject.ensure([one.interface, two.interface, moved])
    assert devices(one.interface.instance_id) == {"ens5": one.interface.mac}
    assert devices(two.interface.instance_id) == {"ens5": two.interface.mac, "ens6": added.mac}


def test_another_interface_takes_the_same_place(lab: Any) -> None:
    one = lab.host("a")
    first, second = hot(one), hot(one, "eni-0123456789abcdef1", 201)
    subject = Interfaces()
    subject.ensure([one.interface, first])
    subject.ensure([one.interface, second])
    assert devices(one.interface.instance_id)["ens6"] == second.mac


def test_a_detached_interface_is_gone_from_the_host(lab: Any) -> None:
    one = lab.host("a")
    # The lab's own identifiers end in less than a link's name has room for.
    kept = hot(one, "eni-0123456789abcdef2", 202)
    gone = replace(hot(one), index=2)
    subject = Interfaces()
    subject.ensure([kept, gone])
    subject.remove_others([kept])
    assert "ens6" in devices(one.interface.instance_id)
    assert "ens7" not in devices(one.interface.instance_id)

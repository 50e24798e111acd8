"""Links over many passes: made once, made again when they are gone or changed."""

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

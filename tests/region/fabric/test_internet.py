"""Public addresses with real packets: 1:1 both ways, with groups, ACLs and zones that are out."""

import dataclasses
from ipaddress import IPv4Network
from typing import Any

import pytest
from postroad_region.fabric import links
from postroad_region.fabric.cuts import cuts_table
from postroad_region.fabric.model import Acl, AclEntry, Rule, SecurityGroup

pytestmark = pytest.mark.root

ANY = IPv4Network("0.0.0.0/0")
PUBLIC = "198.18.113.9"
ALL = Rule("all", None, (ANY,))


def opened(lab: Any, ingress: tuple[Rule, ...] = (ALL,), egress: tuple[Rule, ...] = (ALL,)) -> None:
    lab.groups = {"sg-open": SecurityGroup("sg-open", ingress, egress)}
    lab.load()


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "untracked"])
def test_what_a_host_sends_comes_from_its_public_address(lab: Any, tracked: bool) -> None:
    internet, host = lab.internet(), lab.host("a", public=PUBLIC)
    opened(lab, ingress=() if tracked else (ALL,))
    with internet.listen(25) as listening:
        calling = host.connect(internet.address, 25)
        accepted, (source, _) = listening.accept()
        accepted.settimeout(1)
        calling.sendall(b"mail")
        assert accepted.recv(10) == b"mail"
        accepted.sendall(b"250")
        assert calling.recv(10) == b"250"
    assert source == PUBLIC


@pytest.mark.parametrize("egress", [(ALL,), ()], ids=["untracked", "tracked"])
def test_what_comes_to_a_public_address_reaches_its_host_alone(lab: Any, egress: tuple[Rule, ...]) -> None:
    internet, host, _ = lab.internet(), lab.host("a", public=PUBLIC), lab.host("a")
    opened(lab, ingress=(Rule("tcp", (25, 25), (ANY,)),), egress=egress)
    with host.listen(25) as listening:
        calling = internet.connect(PUBLIC, 25)
        accepted, (source, _) = listening.accept()
        accepted.sendall(b"220")
        assert calling.recv(10) == b"220"
    assert source == internet.address
    with pytest.raises(TimeoutError):
        internet.connect(PUBLIC, 587)


def test_a_host_without_a_public_address_reaches_nobody_outside(lab: Any) -> None:
    internet, host = lab.internet(), lab.host("a")
    opened(lab)
    assert not host.reaches(internet, 25)


def test_acls_see_private_addresses_inside_and_the_internets_outside(lab: Any) -> None:
    internet, host = lab.internet(), lab.host("a", public=PUBLIC)
    entries = (
        AclEntry(100, "tcp", True, IPv4Network(f"{internet.address}/32"), (1024, 65535)),
        AclEntry(110, "tcp", True, IPv4Network(f"{internet.address}/32"), (25, 25)),
    )
    lab.acls = {"acl-1": Acl("acl-1", entries, entries)}
    lab.subnets["a"] = dataclasses.replace(lab.subnets["a"], acl="acl-1")
    opened(lab)
    assert host.reaches(internet, 25)
    lab.acls = {"acl-1": Acl("acl-1", (), entries)}
    opened(lab)
    assert not host.reaches(internet, 25)


def test_a_zone_that_is_down_is_cut_from_the_internet_too(lab: Any) -> None:
    internet, host, other = lab.internet(), lab.host("a", public=PUBLIC), lab.host("b", public="198.18.113.10")
    opened(lab)
    links.load_rules(cuts_table(lab.fabric().interfaces, zones_down=["us-east-1a"]))
    assert not host.reaches(internet, 25)
    assert other.reaches(internet, 25)
    with host.listen(25), pytest.raises(TimeoutError):
        internet.connect(PUBLIC, 25)

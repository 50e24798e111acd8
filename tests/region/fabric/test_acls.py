"""Network ACLs: what they say as rules, and what real packets get of them."""

import dataclasses
from ipaddress import IPv4Network
from typing import Any

import pytest
from postroad_region import addresses
from postroad_region.fabric.acls import lets_all
from postroad_region.fabric.model import Acl, AclEntry, Rule, SecurityGroup

ANY = IPv4Network("0.0.0.0/0")
ALLOW_ALL = AclEntry(100, "all", True, ANY)
EPHEMERAL = (1024, 65535)
OPEN = SecurityGroup("sg-open", (Rule("all", None, (ANY,)),), (Rule("all", None, (ANY,)),))


def allow(number: int, *, ports: tuple[int, int] | None, protocol: str = "tcp", network: IPv4Network = ANY) -> AclEntry:
    return AclEntry(number, protocol, True, network, ports)


def deny(number: int, *, ports: tuple[int, int] | None, network: IPv4Network = ANY) -> AclEntry:
    return AclEntry(number, "tcp", False, network, ports)


@pytest.mark.parametrize(
    ("entries", "all_"),
    [
        ((ALLOW_ALL,), True),
        ((AclEntry(32767, "all", False, ANY), ALLOW_ALL), True),
        ((), False),
        ((deny(90, ports=(25, 25)), ALLOW_ALL), False),
        ((AclEntry(100, "all", True, IPv4Network("10.0.0.0/8")),), False),
        ((AclEntry(100, "tcp", True, ANY),), False),
    ],
)
def test_an_acl_whose_first_rule_allows_all_costs_nothing(entries: tuple[AclEntry, ...], all_: bool) -> None:
    assert lets_all(entries) is all_


def guarded(lab: Any, zone: str, ingress: tuple[AclEntry, ...], egress: tuple[AclEntry, ...]) -> None:
    lab.groups = {"sg-open": OPEN}
    lab.acls["acl-1"] = Acl("acl-1", ingress, egress)
    lab.subnets[zone] = dataclasses.replace(lab.subnets[zone], acl="acl-1")
    lab.load()


@pytest.mark.root
@pytest.mark.parametrize(
    ("ingress", "egress", "reached"),
    [
        pytest.param((ALLOW_ALL,), (ALLOW_ALL,), True, id="the default ACL"),
        pytest.param((), (), False, id="an ACL without rules denies"),
        pytest.param((allow(100, ports=(25, 25)),), (allow(100, ports=EPHEMERAL),), True, id="replies let out"),
        pytest.param((allow(100, ports=(25, 25)),), (), False, id="stateless: the reply is dropped"),
        pytest.param((allow(100, ports=(25, 25)),), (allow(100, ports=(25, 25)),), False, id="replies go elsewhere"),
        pytest.param((deny(90, ports=(25, 25)), ALLOW_ALL), (ALLOW_ALL,), False, id="a lower number wins"),
        pytest.param((ALLOW_ALL, deny(110, ports=(25, 25))), (ALLOW_ALL,), True, id="a higher number comes too late"),
        pytest.param(
            (allow(100, ports=(25, 25), network=IPv4Network("10.20.9.0/24")),), (ALLOW_ALL,), False, id="another range"
        ),
        pytest.param((allow(100, ports=(25, 25), protocol="udp"),), (ALLOW_ALL,), False, id="another protocol"),
    ],
)
def test_a_subnets_boundary(
    lab: Any, ingress: tuple[AclEntry, ...], egress: tuple[AclEntry, ...], reached: bool
) -> None:
    outside, server, neighbour = lab.host("a"), lab.host("b"), lab.host("b")
    guarded(lab, "b", ingress, egress)
    assert outside.reaches(server, 25) is reached
    # Inside the subnet no ACL holds.
    assert neighbour.reaches(server, 25)


@pytest.mark.root
def test_a_client_needs_its_ephemeral_ports_open_inward(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b")
    guarded(lab, "a", (), (allow(100, ports=(25, 25)),))
    assert not client.reaches(server, 25)
    guarded(lab, "a", (allow(100, ports=EPHEMERAL),), (allow(100, ports=(25, 25)),))
    assert client.reaches(server, 25)


@pytest.mark.root
def test_an_established_flow_is_cut_by_a_new_rule(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b")
    guarded(lab, "b", (ALLOW_ALL,), (ALLOW_ALL,))
    with server.listen(25) as listening:
        calling = client.connect(server.address, 25)
        accepted, _ = listening.accept()
        accepted.settimeout(0.6)
        guarded(lab, "b", (deny(50, ports=(25, 25)), ALLOW_ALL), (ALLOW_ALL,))
        calling.sendall(b"more")
        with pytest.raises(TimeoutError):
            accepted.recv(10)


@pytest.mark.root
def test_the_vpc_resolver_is_beyond_acls_and_s3_is_not(lab: Any) -> None:
    client = lab.host("a")
    guarded(lab, "a", (), ())
    resolver = lab.serve("10.20.0.2", 53)
    calling = client.udp()
    calling.sendto(b"question", ("10.20.0.2", 53))
    resolver.sendto(*resolver.recvfrom(100))
    assert calling.recvfrom(100)[0] == b"question"
    with lab.listen_on_router(str(addresses.SERVICES), 80):
        with pytest.raises(TimeoutError):
            client.connect(str(addresses.SERVICES), 80)
        guarded(lab, "a", (allow(100, ports=EPHEMERAL),), (allow(100, ports=(80, 80)),))
        client.connect(str(addresses.SERVICES), 80).close()

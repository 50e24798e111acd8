"""Security groups with real packets: what lives on when a rule goes, and what doesn't."""

import socket
from ipaddress import IPv4Network
from typing import Any

import pytest
from postroad_region import addresses
from postroad_region.fabric.model import Rule, SecurityGroup

pytestmark = pytest.mark.root

ANY = (IPv4Network("0.0.0.0/0"),)
ALL = Rule("all", None, ANY)
OPEN = SecurityGroup("sg-open", (ALL,), (ALL,))
VPC_ONLY = (IPv4Network("10.20.0.0/16"),)


def echo(server: socket.socket, client: socket.socket, target: tuple[str, int]) -> bool:
    """Whether a datagram gets there and its answer back."""
    try:
        client.sendto(b"question", target)
        server.sendto(*server.recvfrom(100))
        client.recvfrom(100)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("networks", "survives"),
    [pytest.param(ANY, False, id="untracked"), pytest.param(VPC_ONLY, True, id="tracked")],
)
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_an_untracked_flow_ends_with_its_rule_and_a_tracked_one_lives_on(
    lab: Any, networks: tuple[IPv4Network, ...], survives: bool, protocol: str
) -> None:
    client, server = lab.host("a"), lab.host("b", group="sg-server")
    lab.groups = {
        "sg-open": OPEN,
        "sg-server": SecurityGroup("sg-server", (Rule(protocol, (53, 53), networks),), (ALL,)),
    }
    lab.load()
    if protocol == "udp":
        listening, calling = server.udp(53), client.udp()
        assert echo(listening, calling, (server.address, 53))
        lab.groups["sg-server"] = SecurityGroup("sg-server", (), (ALL,))
        lab.load()
        assert echo(listening, calling, (server.address, 53)) is survives
        assert not echo(listening, client.udp(), (server.address, 53))
    else:
        with server.listen(53) as listening:
            calling = client.connect(server.address, 53)
            accepted, _ = listening.accept()
            accepted.settimeout(0.6)
            lab.groups["sg-server"] = SecurityGroup("sg-server", (), (ALL,))
            lab.load()
            calling.sendall(b"more")
            if survives:
                assert accepted.recv(10) == b"more"
            else:
                with pytest.raises(TimeoutError):
                    accepted.recv(10)


def test_an_untracked_flow_is_tracked_from_the_packet_on_that_a_tracking_rule_lets_in(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b", group="sg-server")
    question = Rule("udp", (53, 53), ANY)
    lab.groups = {"sg-open": OPEN, "sg-server": SecurityGroup("sg-server", (question,), (ALL,))}
    lab.load()
    listening, calling = server.udp(53), client.udp()
    assert echo(listening, calling, (server.address, 53))
    lab.groups["sg-server"] = SecurityGroup("sg-server", (question,), (Rule("tcp", (443, 443), ANY),))
    lab.load()
    calling.sendto(b"question", (server.address, 53))
    assert listening.recvfrom(100)[0] == b"question"
    # No rule lets this reply out any more: it passes as one of a tracked flow.
    listening.sendto(b"answer", calling.getsockname())
    assert calling.recvfrom(100)[0] == b"answer"
    lab.groups["sg-server"] = SecurityGroup("sg-server")
    lab.load()
    assert echo(listening, calling, (server.address, 53))


def test_a_server_without_an_outbound_rule_answers_what_it_tracks(lab: Any) -> None:
    client, server = lab.host("a"), lab.host("b", group="sg-server")
    lab.groups = {"sg-open": OPEN, "sg-server": SecurityGroup("sg-server", (Rule("tcp", (25, 25), ANY),), ())}
    lab.load()
    assert client.reaches(server, 25)
    assert not server.reaches(client, 25)


@pytest.mark.parametrize("group", ["", "sg-balancer"], ids=["without groups", "with an open group"])
def test_flows_with_a_balancer_are_tracked_on_both_sides_however_open_the_rules(lab: Any, group: str) -> None:
    balancer, target = lab.host("a", group=group, kind="balancer"), lab.host("b")
    lab.groups = {"sg-open": OPEN, "sg-balancer": SecurityGroup("sg-balancer", (ALL,), (ALL,))}
    lab.load()
    with target.listen(587) as listening:
        calling = balancer.connect(target.address, 587)
        accepted, _ = listening.accept()
        accepted.settimeout(1)
        lab.groups = {name: SecurityGroup(name) for name in lab.groups}
        lab.load()
        calling.sendall(b"more")
        assert accepted.recv(10) == b"more"


def test_only_members_of_a_named_group_pass(lab: Any) -> None:
    mta, other, proxy = lab.host("a", group="sg-mta"), lab.host("a"), lab.host("b", group="sg-proxy")
    lab.groups = {
        "sg-open": OPEN,
        "sg-mta": SecurityGroup("sg-mta", (), (ALL,)),
        "sg-proxy": SecurityGroup("sg-proxy", (Rule("tcp", (1080, 1080), (), ("sg-mta",)),), ()),
    }
    lab.load()
    assert mta.reaches(proxy, 1080)
    assert not other.reaches(proxy, 1080)


@pytest.mark.parametrize(
    ("rules", "open_"),
    [
        pytest.param((Rule("tcp", (80, 80), (IPv4Network(f"{addresses.SERVICES}/32"),)),), True, id="prefix list"),
        pytest.param((ALL,), True, id="all"),
        pytest.param((Rule("tcp", (443, 443), ANY),), False, id="another port"),
        pytest.param((), False, id="nothing"),
    ],
)
def test_s3_is_reached_only_where_a_rule_lets_it(lab: Any, rules: tuple[Rule, ...], open_: bool) -> None:
    client = lab.host("a", group="sg-client")
    lab.groups = {"sg-client": SecurityGroup("sg-client", (), rules)}
    lab.load()
    with lab.listen_on_router(str(addresses.SERVICES), 80):
        if open_:
            client.connect(str(addresses.SERVICES), 80).close()
        else:
            with pytest.raises(TimeoutError):
                client.connect(str(addresses.SERVICES), 80)

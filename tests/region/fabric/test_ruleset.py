"""The fabric's rule set: what it says, and what real packets between real namespaces get of it."""

import subprocess
import uuid
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest
from postroad_region.fabric.model import Fabric, Interface, Route, RouteTable, Rule, SecurityGroup, Subnet
from postroad_region.fabric.ruleset import ruleset

VPC = IPv4Network("10.20.0.0/16")
ANY = IPv4Network("0.0.0.0/0")
LOCAL = Route(VPC, "local")
PUBLIC = Subnet("subnet-a", "vpc-1", IPv4Network("10.20.1.0/24"), "us-east-1a", "rtb-public")
PRIVATE = Subnet("subnet-b", "vpc-1", IPv4Network("10.20.2.0/24"), "us-east-1a", "rtb-private")


def interface(number: int, subnet: Subnet, *, groups: tuple[str, ...], public: str = "") -> Interface:
    address = subnet.network.network_address + number
    pair = ((address, IPv4Address(public)),) if public else ()
    return Interface(
        f"eni-{number:017x}",
        f"i-{number:017x}",
        subnet,
        (address,),
        f"02:00:00:00:00:{number:02x}",
        groups=groups,
        public=pair,
    )


PROXY = interface(4, PUBLIC, groups=("sg-proxy",), public="198.18.113.9")
MTA = interface(5, PRIVATE, groups=("sg-mta",))
FABRIC = Fabric(
    vpcs=(("vpc-1", VPC),),
    subnets=(PUBLIC, PRIVATE),
    route_tables=(
        RouteTable("rtb-public", (LOCAL, Route(ANY, "internet")), services=True),
        RouteTable("rtb-private", (LOCAL,)),
    ),
    groups=(
        SecurityGroup(
            "sg-proxy",
            ingress=(Rule("tcp", (1080, 1080), groups=("sg-mta",)),),
            egress=(Rule("tcp", (25, 25), (ANY,)),),
        ),
        SecurityGroup("sg-mta", egress=(Rule("all", None, (ANY,)),)),
    ),
    interfaces=(PROXY, MTA),
)


def chain(text: str, name: str) -> list[str]:
    lines = iter(text.splitlines())
    for line in lines:
        if line.strip() == f"chain {name} {{":
            break
    else:
        raise AssertionError(f"no chain {name}")
    found = []
    for line in lines:
        if line.strip() == "}":
            return found
        found.append(line.strip())
    raise AssertionError(f"chain {name} has no end")


def test_a_group_is_reached_only_from_what_its_rules_name() -> None:
    text = ruleset(FABRIC)
    assert rules_of(text, PROXY, "enter", "oifname") == [
        "ip saddr @sg_mta tcp dport 1080 goto tracked_in",
        "counter drop",
    ]
    assert rules_of(text, MTA, "enter", "oifname") == ["counter drop"]


def rules_of(text: str, interface: Interface, chain_name: str, selector: str) -> list[str]:
    """The chain that the interface's link is sent to."""
    rule = next(rule for rule in chain(text, chain_name) if rule.startswith(f"{selector} vmap"))
    target = rule.split(f'"{interface.link}" : goto ')[1].split(",")[0].split(" ")[0]
    return chain(text, target)


def test_no_host_begins_a_flow_to_the_controller() -> None:
    assert not any("uplink" in rule for rule in chain(ruleset(FABRIC), "enter"))


def test_a_private_subnet_has_no_way_to_the_internet() -> None:
    rules = chain(ruleset(FABRIC), "to_rtb_private")
    assert rules[-1] == "counter drop"
    assert not any('oifname "internet0" return' in rule for rule in rules)


def test_the_most_specific_route_comes_first() -> None:
    rules = chain(ruleset(FABRIC), "to_rtb_public")
    assert rules[0].startswith("ip daddr 10.20.0.0/16")
    assert rules[2] == 'oifname "internet0" return'


def test_an_instance_sends_only_from_its_own_addresses() -> None:
    rule = next(rule for rule in chain(ruleset(FABRIC), "forward") if "iifname . ip saddr" in rule)
    assert f'"{MTA.link}" . 10.20.2.5' in rule
    assert rule.endswith("counter drop")


def test_public_addresses_map_one_to_one_both_ways() -> None:
    assert chain(ruleset(FABRIC), "prerouting")[1:] == [
        'iifname "internet0" dnat to ip daddr map { 198.18.113.9 : 10.20.1.4 }'
    ]
    assert chain(ruleset(FABRIC), "postrouting")[1:] == [
        'oifname "internet0" snat to ip saddr map { 10.20.1.4 : 198.18.113.9 }'
    ]


def test_s3_answers_only_where_a_route_leads_to_it() -> None:
    rule = next(rule for rule in chain(ruleset(FABRIC), "services") if "443" in rule)
    assert "10.20.1.0/24" in rule
    assert "10.20.2.0/24" not in rule


def test_the_same_fabric_gives_the_same_text() -> None:
    assert ruleset(FABRIC) == ruleset(FABRIC)


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"prt-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.root
@pytest.mark.parametrize("fabric", [Fabric(), FABRIC], ids=["empty", "two tiers"])
def test_nftables_takes_it_again_and_again(namespace: str, fabric: Fabric) -> None:
    for _ in range(2):
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=ruleset(fabric), text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr

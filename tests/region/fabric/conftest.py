"""A fabric of its own for a test: namespaces, links and rules as the region makes them, under other names."""

import ctypes
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TypeVar

import pytest
from postroad_region import addresses
from postroad_region.fabric import links
from postroad_region.fabric.model import Acl, Fabric, Interface, Route, RouteTable, SecurityGroup, Subnet
from postroad_region.fabric.ruleset import ruleset
from postroad_region.fabric.security import INTERNET
from postroad_region.fabric.tracking import ANYWHERE

VPC = IPv4Network("10.20.0.0/16")
PATIENCE_SECONDS = 0.6

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def inside(namespace: str, action: Callable[[], T]) -> T:
    """Do something in a network namespace; sockets that are opened there stay there."""
    result: list[T] = []

    def enter() -> None:
        with open(f"/run/netns/{namespace}") as handle:
            assert _libc.setns(handle.fileno(), 0x40000000) == 0
        result.append(action())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return result[0]


class Host:
    """One interface with its namespace; sends and receives real packets."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self.address = str(interface.addresses[0])

    def udp(self, port: int = 0) -> socket.socket:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            made.bind((self.address, port))
            made.settimeout(PATIENCE_SECONDS)
            return made

        return inside(self.interface.instance_id, make)

    def listen(self, port: int) -> socket.socket:
        made = inside(self.interface.instance_id, lambda: socket.create_server((self.address, port)))
        made.settimeout(PATIENCE_SECONDS)
        return made

    def connect(self, address: str, port: int) -> socket.socket:
        made = inside(self.interface.instance_id, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        made.settimeout(PATIENCE_SECONDS)
        made.connect((address, port))
        return made

    def reaches(self, other: "Host", port: int) -> bool:
        """Whether a connection to a listening port of the other host comes about."""
        with other.listen(port):
            try:
                self.connect(other.address, port).close()
            except TimeoutError:
                return False
            return True


class Lab:
    """Hosts in subnets of three zones behind one router."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.groups: dict[str, SecurityGroup] = {}
        self.acls: dict[str, Acl] = {}
        self.subnets: dict[str, Subnet] = {}
        self.routes = RouteTable("rtb-1", (Route(VPC, "local"),), services=True)
        links.run(["ip", "netns", "add", addresses.FABRIC])
        links.run(["ip", "-n", addresses.FABRIC, "link", "set", "lo", "up"])
        links._sysctl(addresses.FABRIC, {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0"})

    def internet(self) -> Host:
        """Somebody outside the VPC, whom the route table leads to."""
        name = f"prt-{secrets.token_hex(4)}"
        outside, subnet = addresses.INTERNET_GATEWAY, Subnet("", "", addresses.INTERNET_RANGE, "", "")
        links.run(["ip", "netns", "add", name])
        made = Host(Interface("eni-internet", name, subnet, (outside,), ""))
        self.hosts.append(made)
        fabric = addresses.FABRIC
        links.run(["ip", "-n", fabric, "link", "add", INTERNET, "type", "veth", "peer", "name", "wan0", "netns", name])
        links._batch(fabric, [
            f"link set {INTERNET} up",
            f"address add {addresses.FABRIC_PUBLIC}/32 dev {INTERNET}",
            f"route add {addresses.INTERNET_RANGE} via {outside} dev {INTERNET} onlink",
        ])  # fmt: skip
        links._batch(name, [
            "link set wan0 up",
            f"address add {outside}/32 dev wan0",
            f"route add {addresses.PUBLIC_RANGE} via {addresses.FABRIC_PUBLIC} dev wan0 onlink",
        ])  # fmt: skip
        self.routes = RouteTable("rtb-1", (Route(VPC, "local"), Route(ANYWHERE, "internet")), services=True)
        return made

    def host(self, zone: str = "a", *, group: str = "sg-open", kind: str = "instance", public: str = "") -> Host:
        number = "abc".index(zone)
        subnet = self.subnets.setdefault(
            zone, Subnet(f"subnet-{zone}", "vpc-1", IPv4Network(f"10.20.{number}.0/24"), f"us-east-1{zone}", "rtb-1")
        )
        count = len(self.hosts) + 10
        unique = secrets.token_hex(4)
        address = IPv4Address(int(subnet.network.network_address) + count)
        made = Host(
            Interface(
                f"eni-{unique}{count:05x}",
                f"prt-{unique}",
                subnet,
                (address,),
                f"02:00:00:00:00:{count:02x}",
                groups=(group,) if group else (),
                public=((address, IPv4Address(public)),) if public else (),
                kind=kind,
            )
        )
        self.hosts.append(made)
        links.ensure_interface(made.interface)
        return made

    def fabric(self) -> Fabric:
        subnets = {s.id: s for s in self.subnets.values()}
        return Fabric(
            vpcs=(("vpc-1", VPC),),
            subnets=tuple(subnets.values()),
            route_tables=(self.routes,),
            groups=tuple(self.groups.values()),
            interfaces=tuple(_placed(h.interface, subnets) for h in self.hosts if h.interface.mac),
            acls=tuple(self.acls.values()),
        )

    def load(self) -> None:
        links.ensure_routers(self.fabric())
        links.load_rules(ruleset(self.fabric()))

    def nft(self, *arguments: str) -> str:
        return links.run(["ip", "netns", "exec", addresses.FABRIC, "nft", *arguments])

    def serve(self, address: str, port: int) -> socket.socket:
        """A UDP socket of the router itself."""

        def make() -> socket.socket:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            made.bind((address, port))
            made.settimeout(PATIENCE_SECONDS)
            return made

        return inside(addresses.FABRIC, make)

    def listen_on_router(self, address: str, port: int) -> socket.socket:
        return inside(addresses.FABRIC, lambda: socket.create_server((address, port)))

    def close(self) -> None:
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.interface.instance_id], check=False)
        subprocess.run(["ip", "netns", "del", addresses.FABRIC], check=False)


def _placed(interface: Interface, subnets: dict[str, Subnet]) -> Interface:
    """The interface in its subnet as it is now: a test may have given the subnet another ACL."""
    values = {name: getattr(interface, name) for name in Interface.__slots__}
    return Interface(**{**values, "subnet": subnets[interface.subnet.id]})


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    monkeypatch.setattr(addresses, "FABRIC", f"prt-{secrets.token_hex(4)}")
    made = Lab()
    try:
        yield made
    finally:
        made.close()

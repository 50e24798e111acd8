"""What the VPC fabric should be, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a route table.

    Args:
        destination: the range that it matches.
        target: `local`, `peering`, `internet` or `blackhole`.
    """

    destination: IPv4Network
    target: str


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A route table.

    Args:
        services: whether S3 can be reached by it, through a gateway endpoint or the internet gateway.
        endpoint: the gateway endpoint's id, if one leads to S3.
    """

    id: str
    routes: tuple[Route, ...]
    services: bool = False
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet with the route table that holds for it."""

    id: str
    vpc_id: str
    network: IPv4Network
    zone: str
    route_table: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission of a security group.

    Args:
        protocol: `tcp`, `udp`, `icmp` or `all`.
        ports: first and last port, both included; None for all or where the protocol has none.
        networks: the far side by range.
        groups: the far side by security group.
    """

    protocol: str
    ports: tuple[int, int] | None
    networks: tuple[IPv4Network, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group: what it lets in and out; nothing else passes."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of a running instance.

    Args:
        addresses: private addresses, the primary one first.
        public: public address by private address (auto-assigned or an Elastic IP).
        index: the device index; 0 is `ens5` in the instance.
    """

    id: str
    instance_id: str
    subnet: Subnet
    addresses: tuple[IPv4Address, ...]
    mac: str
    index: int = 0
    groups: tuple[str, ...] = ()
    public: tuple[tuple[IPv4Address, IPv4Address], ...] = ()

    @property
    def link(self) -> str:
        """The name of its end in the fabric (IFNAMSIZ allows 15 octets)."""
        return "v" + self.id.removeprefix("eni-")[-13:]

    @property
    def device(self) -> str:
        """The name of its end in the instance, as Nitro hosts name it."""
        return f"ens{5 + self.index}"


@dataclass(frozen=True, slots=True)
class Fabric:
    """All that the fabric should hold."""

    vpcs: tuple[tuple[str, IPv4Network], ...] = ()
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    interfaces: tuple[Interface, ...] = ()

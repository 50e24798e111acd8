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
    """A subnet with the route table and the network ACL that hold for it; without an ACL all passes."""

    id: str
    vpc_id: str
    network: IPv4Network
    zone: str
    route_table: str
    acl: str = ""


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One numbered rule of a network ACL; the first that matches decides.

    Args:
        protocol: `all`, `tcp`, `udp`, `icmp`, or a protocol's number.
        network: the far side.
        ports: first and last destination port, both included; None for all.
        icmp: type and code of ICMP, -1 for any.
    """

    number: int
    protocol: str
    allow: bool
    network: IPv4Network
    ports: tuple[int, int] | None = None
    icmp: tuple[int, int] = (-1, -1)


@dataclass(frozen=True, slots=True)
class Acl:
    """A network ACL: what may leave and enter its subnets, judged packet by packet; what no rule names is denied."""

    id: str
    ingress: tuple[AclEntry, ...] = ()
    egress: tuple[AclEntry, ...] = ()


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
    """A network interface of a running instance or of a load balancer.

    Args:
        instance_id: whose interface it is, and the name of the network namespace that has it.
        addresses: private addresses, the primary one first.
        public: public address by private address (auto-assigned or an Elastic IP).
        index: the device index; 0 is `ens5` in the instance.
        kind: `instance`, or `balancer`: flows with it are always tracked, and without groups it lets all through,
            as a network load balancer without security groups does.
    """

    id: str
    instance_id: str
    subnet: Subnet
    addresses: tuple[IPv4Address, ...]
    mac: str
    index: int = 0
    groups: tuple[str, ...] = ()
    public: tuple[tuple[IPv4Address, IPv4Address], ...] = ()
    kind: str = "instance"

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
    acls: tuple[Acl, ...] = ()

"""What the balancers should be, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """How targets are probed.

    Args:
        protocol: `TCP`, `HTTP` or `HTTPS`.
        port: of the target; None: the port that gets the traffic.
        codes: HTTP statuses that mean healthy, as the API has them: `200`, `200-399`, `200,204`.
        interval: seconds.
        timeout: seconds.
        rise: probes in a row that make an unhealthy target healthy.
        fall: the same for the other way.
    """

    protocol: str = "TCP"
    port: int | None = None
    path: str = "/"
    codes: str = "200-399"
    interval: int = 30
    timeout: int = 10
    rise: int = 5
    fall: int = 2
    enabled: bool = True

    @property
    def verdict_seconds(self) -> float:
        """After this long a target that never passed a probe is unhealthy, no longer initial."""
        return float(self.fall * self.interval + self.timeout)


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target that can be reached.

    Args:
        id: the instance's id, or the address.
        zone: empty for an address outside of the VPC's subnets, which belongs to every zone.
        registered: seconds since the epoch.
    """

    id: str
    address: IPv4Address
    port: int
    zone: str
    registered: float = 0.0


@dataclass(frozen=True, slots=True)
class Draining:
    """A deregistered target whose delay runs, or has just ended.

    Args:
        until: seconds since the epoch.
    """

    id: str
    until: float


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group that a listener forwards to.

    Args:
        protocol: `TCP` or `TLS` (to the targets).
        cross_zone: as it holds: the group's own setting, else the balancer's.
        terminates: connections are cut when a target's deregistration delay ends.
        cuts_unhealthy: connections are cut when a target becomes unhealthy.
        sticky: by the client's address.
    """

    arn: str
    targets: tuple[Target, ...] = ()
    draining: tuple[Draining, ...] = ()
    check: HealthCheck = HealthCheck()
    protocol: str = "TCP"
    cross_zone: bool = False
    proxy_protocol: bool = False
    terminates: bool = False
    cuts_unhealthy: bool = True
    sticky: bool = False

    @property
    def name(self) -> str:
        """Its name in HAProxy: unique, whatever the group's own is."""
        return "tg_" + self.arn.rsplit("/", 1)[-1]

    def targets_of(self, zone: str) -> tuple[Target, ...]:
        """Those that the balancer's node in a zone sends to, healthy or not."""
        return tuple(t for t in self.targets if self.cross_zone or t.zone in (zone, ""))


@dataclass(frozen=True, slots=True)
class Listener:
    """A port of a balancer.

    Args:
        protocol: `TCP`, or `TLS`, which ends here.
        group: ARN of the target group.
        certificates: chain and key, PEM, the default one first; of a TLS listener.
        oldest_tls: as HAProxy writes versions.
        idle: seconds of silence after which a connection is closed.
    """

    port: int
    protocol: str
    group: str
    certificates: tuple[str, ...] = field(default=(), repr=False)
    oldest_tls: str = "TLSv1.2"
    idle: int = 350


@dataclass(frozen=True, slots=True)
class Node:
    """What a balancer has in one zone.

    Args:
        name: also the name of its network namespace.
        public: the address that the internet sees, of an internet-facing balancer.
    """

    name: str
    zone: str
    address: IPv4Address
    public: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Balancer:
    """A network load balancer.

    Args:
        unsupported: what the API asks of it that the box doesn't do, a line each.
    """

    arn: str
    name: str
    dns_name: str
    nodes: tuple[Node, ...] = ()
    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()
    unsupported: tuple[str, ...] = ()

"""What the DNS of the box should be, as the daemon reads it from the AWS API and the world's file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

ROOT_ADDRESS = "198.51.100.1"
PUBLIC_RESOLVER_ADDRESS = "198.51.100.8"
AUTHORITY_ADDRESS = "198.51.100.53"


@dataclass(frozen=True, slots=True)
class HostedZone:
    """A Route 53 hosted zone.

    Args:
        zone_id: without `/hostedzone/`.
        name: as Route 53 writes it, with or without the last dot.
        record_sets: `ResourceRecordSets` of all pages of ListResourceRecordSets, as boto3 returns them.
        vpc_ids: the VPCs a private zone is associated with; none: the zone is public.
    """

    zone_id: str
    name: str
    record_sets: Sequence[Mapping[str, Any]]
    private: bool = False
    vpc_ids: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        zone: Mapping[str, Any],
        record_sets: Sequence[Mapping[str, Any]],
        vpcs: Sequence[Mapping[str, Any]] | None = None,
    ) -> "HostedZone":
        """From what ListHostedZones (or GetHostedZone), ListResourceRecordSets and GetHostedZone's `VPCs` answer."""
        return cls(
            zone_id=zone["Id"].removeprefix("/hostedzone/"),
            name=zone["Name"],
            record_sets=record_sets,
            private=bool(zone.get("Config", {}).get("PrivateZone", False)),
            vpc_ids=tuple(vpc["VPCId"] for vpc in vpcs or ()),
        )


@dataclass(frozen=True, slots=True)
class ProviderZone:
    """A zone of someone on the simulated internet.

    Args:
        name: the zone.
        name_server: its server's address; the server is called `ns1.<name>`.
        records: lines of a zone file below the zone's origin (`@ 300 IN MX 5 mx`), without SOA and NS.
        dnssec: `signed` with the right DS at the parent, `unsigned`, or `bogus`: signed with a key that the DS doesn't
            fit, so that validating resolvers answer SERVFAIL.
        answered: False: it stays delegated, but its name server doesn't serve it; every resolver answers SERVFAIL once
            its cache has expired.
    """

    name: str
    name_server: str
    records: Sequence[str]
    dnssec: Literal["signed", "unsigned", "bogus"] = "signed"
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC whose resolver answers on `resolver`, for clients in `cidrs` alone."""

    vpc_id: str
    resolver: str
    cidrs: Sequence[str]


@dataclass(frozen=True, slots=True)
class DnsDesired:
    """All that the DNS of the box has to answer.

    Args:
        hosted_zones: Route 53's, public and private.
        provider_zones: see `postroad_region.world.provider_zones`.
        reverse: PTR by address, for the internet's and the public range (of an EIP: ModifyAddressAttribute's domain
            name).
        vpcs: each gets a resolver.
        service_names: names that every VPC resolver answers, they and all below them, with an address: AWS's endpoints.
        alias_targets: addresses by the DNS name that an alias record may point to (load balancers).
        outgoing_address: what the VPC resolvers ask from, if the routing table's choice isn't right.
    """

    hosted_zones: Sequence[HostedZone] = ()
    provider_zones: Sequence[ProviderZone] = ()
    reverse: Mapping[str, str] = field(default_factory=dict)
    vpcs: Sequence[Vpc] = ()
    service_names: Mapping[str, str] = field(default_factory=dict)
    alias_targets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    outgoing_address: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A record or zone that is left out, and why; the rest is served."""

    zone: str
    record: str
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"zone {self.zone}: {self.record}: {self.reason}"


@dataclass(frozen=True, slots=True)
class DnsStatus:
    """What runs and what couldn't be served.

    Args:
        processes: whether each server runs, by name.
        zones: how many zones each authoritative server has.
        problems: of the last `apply`.
    """

    processes: Mapping[str, bool]
    zones: Mapping[str, int]
    problems: Sequence[Problem]

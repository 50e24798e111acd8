"""The DNS of the box: a signed root, Route 53's zones, the providers' zones, and each VPC's resolver."""

from postroad_region.dns.desired import (
    AUTHORITY_ADDRESS,
    PUBLIC_RESOLVER_ADDRESS,
    ROOT_ADDRESS,
    DnsDesired,
    DnsStatus,
    HostedZone,
    Problem,
    ProviderZone,
    Vpc,
)
from postroad_region.dns.plane import DnsPlane

__all__ = [
    "AUTHORITY_ADDRESS",
    "PUBLIC_RESOLVER_ADDRESS",
    "ROOT_ADDRESS",
    "DnsDesired",
    "DnsPlane",
    "DnsStatus",
    "HostedZone",
    "Problem",
    "ProviderZone",
    "Vpc",
]

"""The address ranges of the box; nothing of a test may carry another destination.

10.20.0.0/14 holds the VPCs, 198.51.100.0/24 (TEST-NET-2, RFC 5737) the simulated internet, and 198.18.113.0/24 (from
the range for benchmarks, RFC 2544) the public addresses that the AWS API allocates. Not TEST-NET-3: machines behind a
registry proxy were seen to carry real traffic there, which the guard would cut.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address

VPC_RANGE = IPv4Network("10.20.0.0/14")
INTERNET_RANGE = IPv4Network("198.51.100.0/24")
PUBLIC_RANGE = IPv4Network("198.18.113.0/24")
BOX_RANGES = (VPC_RANGE, INTERNET_RANGE, PUBLIC_RANGE)

# The operator's place: where production keeps its EC2 Instance Connect endpoint.
CONTROLLER = IPv4Address("10.20.255.10")

# The fabric's side of the link to the internet; what the VPC resolver asks from.
FABRIC_PUBLIC = IPv4Address("198.18.113.1")
INTERNET_GATEWAY = IPv4Address("198.51.100.254")

# Where S3 and the other AWS endpoints answer inside the region.
SERVICES = IPv4Address("198.51.100.200")

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
METADATA = IPv4Address("169.254.169.254")

FABRIC = "postroad"
INTERNET = "postroad-internet"
UPLINK_HOST = "postroad0"


def in_box(address: str) -> bool:
    """Whether an address belongs to the box."""
    return any(ip_address(address) in network for network in BOX_RANGES)


def resolver_of(vpc: IPv4Network) -> IPv4Address:
    """The VPC resolver: base plus two (https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html)."""
    return vpc.network_address + 2


def gateway_of(subnet: IPv4Network) -> IPv4Address:
    """The subnet's router: base plus one (https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html)."""
    return subnet.network_address + 1

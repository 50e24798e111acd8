"""What all settings share: strict models, and the types that several nouns use."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from postroad_infra.address_plan import NARROWEST_PREFIX, WIDEST_PREFIX, ZONE_LETTERS
from postroad_infra.zone import region_of


class Settings(BaseModel):
    """A group of settings: frozen, and a key that it doesn't know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


PRIVATE_RANGES = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
"""RFC 1918 and RFC 6598: what AWS routes inside VPCs and doesn't count as public."""


def is_private(network: IPv4Network) -> bool:
    """Whether all addresses of a range are private ones."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)


def _vpc_range(network: IPv4Network) -> IPv4Network:
    if not WIDEST_PREFIX <= network.prefixlen <= NARROWEST_PREFIX:
        raise ValueError(f"the prefix must be /{WIDEST_PREFIX} to /{NARROWEST_PREFIX}")
    if not is_private(network):
        raise ValueError("it must lie in a private range (RFC 1918, RFC 6598)")
    return network


def _no_repetition(values: list[str]) -> list[str]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is there more than once")
    return values


def _one_region(zones: list[str]) -> list[str]:
    regions = sorted({region_of(zone) for zone in zones})
    if len(regions) > 1:
        raise ValueError(f"the zones lie in several regions: {', '.join(regions)}")
    return zones


StackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,19}$")]
RegionName = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
ZoneName = Annotated[str, Field(pattern=rf"^[a-z]{{2}}(-[a-z]+)+-[0-9][{ZONE_LETTERS[0]}-{ZONE_LETTERS[-1]}]$")]
ZoneNames = Annotated[
    list[ZoneName],
    Field(min_length=1, max_length=len(ZONE_LETTERS)),
    AfterValidator(_no_repetition),
    AfterValidator(_one_region),
]
AccountId = Annotated[str, Field(pattern=r"^[0-9]{12}$")]
VpcRange = Annotated[IPv4Network, AfterValidator(_vpc_range)]
DomainName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$")]

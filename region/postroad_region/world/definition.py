"""The world's file: its schema, and what follows from it for DNS and addresses."""

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import cached_property, lru_cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from postroad_region.addresses import INTERNET_GATEWAY, INTERNET_RANGE, SERVICES
from postroad_region.dns.desired import AUTHORITY_ADDRESS, PUBLIC_RESOLVER_ADDRESS, ROOT_ADDRESS, ProviderZone
from postroad_region.dns.tree import provider_zone
from postroad_region.errors import RegionError

DEFAULT_FILE = Path(__file__).parent / "world.yaml"
_RESERVED = {
    ROOT_ADDRESS: "the root server's",
    PUBLIC_RESOLVER_ADDRESS: "the public resolver's",
    AUTHORITY_ADDRESS: "the hosted zones' name server's",
    str(SERVICES): "the AWS endpoints'",
    str(INTERNET_GATEWAY): "the gateway's",
}
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")
_REPLY = re.compile(r"([245])[0-5]\d \1\.\d{1,3}\.\d{1,3} [ -~]+\Z")


def _address(value: str) -> str:
    try:
        inside = IPv4Address(value) in INTERNET_RANGE
    except ValueError:
        raise ValueError("is no IPv4 address") from None
    if not inside:
        raise ValueError(f"is outside {INTERNET_RANGE}")
    if value in _RESERVED:
        raise ValueError(f"is {_RESERVED[value]} address")
    return value


def _host(value: str) -> str:
    if not _HOST.match(value) or not value.endswith(".test"):
        raise ValueError("is no lower-case host name below test")
    return value


def _reply(value: str) -> str:
    if not _REPLY.match(value):
        raise ValueError("is no reply: code, enhanced code of the same class, text (RFC 2034)")
    return value


Address = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, AfterValidator(_host)]
Reply = Annotated[str, AfterValidator(_reply)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MxHost(_Part):
    """A host that takes a provider's mail."""

    host: Host
    address: Address
    preference: int = Field(10, ge=0, le=65535, description="As in the MX record: lower is tried first.")


class RecipientRule(_Part):
    """What RCPT TO is answered for some local parts: the first rule that matches counts, without one it is 250."""

    match: str = Field(min_length=1, description="Shell pattern for the whole local part, case ignored.")
    reply: Reply
    verdict: Slug = Field(description="What the ledger calls it.")
    first_tries: int | None = Field(
        None,
        ge=1,
        description="So many tries of one source, sender and recipient get the reply; none: all.",
    )

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`match`, compiled."""
        return re.compile(translate(self.match), re.IGNORECASE)


class Limit(_Part):
    """A bound for each source address, and the reply beyond it; a 421 closes the connection."""

    count: int = Field(ge=1)
    reply: Reply


class Limits(_Part):
    """What one source address may do."""

    messages_per_hour: Limit | None = Field(None, description="Recipients accepted in a sliding hour; at MAIL FROM.")
    connections: Limit | None = Field(None, description="Connections at a time; asked at EHLO.")


class Checks(_Part):
    """What is looked at before a message is accepted; the outcomes are recorded, they refuse nothing."""

    spf: bool = True
    dkim_per_second: int = Field(20, ge=0, description="A check takes some ms; signatures beyond are 'unchecked'.")


class Provider(_Part):
    """A mailbox provider."""

    name: Slug
    domain: Host
    name_server: Address
    dnssec: Literal["signed", "unsigned", "bogus"] = "signed"
    mx: tuple[MxHost, ...] = Field(min_length=1)
    banner: str = Field("ESMTP", pattern=r"^[ -~]{1,80}$", description="What follows the host's name in the greeting.")
    tls: Literal["valid", "expired", "none"] = Field("valid", description="The STARTTLS certificate, of the box's CA.")
    max_size: int = Field(26_214_400, ge=1024, le=104_857_600, description="Octets of a message (SIZE, RFC 1870).")
    recipients: tuple[RecipientRule, ...] = ()
    limits: Limits = Limits()
    checks: Checks = Checks()
    records: tuple[str, ...] = Field((), description='More lines of the zone, e.g. `@ 300 IN TXT "v=spf1 -all"`.')

    @model_validator(mode="after")
    def _hosts_are_the_provider_s(self) -> "Provider":
        for host in self.mx:
            if not host.host.endswith(f".{self.domain}"):
                raise ValueError(f"MX host {host.host} is not below {self.domain}, whose zone gives its address")
        return self

    def zone(self) -> ProviderZone:
        """The provider's zone."""
        records = [f"@ 300 IN MX {mx.preference} {mx.host}." for mx in self.mx]
        records += [f"{mx.host}. 300 IN A {mx.address}" for mx in self.mx]
        return ProviderZone(self.domain, self.name_server, (*records, *self.records), self.dnssec)


class OtherZone(_Part):
    """A zone of someone without mailboxes."""

    name: Host
    name_server: Address
    dnssec: Literal["signed", "unsigned", "bogus"] = "signed"
    records: tuple[str, ...] = ()

    def zone(self) -> ProviderZone:
        """The zone."""
        return ProviderZone(self.name, self.name_server, self.records, self.dnssec)


class World(_Part):
    """The whole file."""

    hour: float = Field(3600, gt=0, le=3600, description="Real seconds that an hour lasts for limits.")
    providers: tuple[Provider, ...] = Field(min_length=1)
    zones: tuple[OtherZone, ...] = ()

    @model_validator(mode="after")
    def _nothing_twice(self) -> "World":
        _unique("provider", [provider.name for provider in self.providers])
        _unique("zone", [zone.name for zone in provider_zones(self)])
        servers = {zone.name_server for zone in provider_zones(self)}
        _unique("address", [*servers, *(mx.address for provider in self.providers for mx in provider.mx)])
        _unique("MX host", [mx.host for provider in self.providers for mx in provider.mx])
        for zone in provider_zones(self):
            for problem in provider_zone(zone.name, zone.records, zone.name_server)[2]:
                raise ValueError(str(problem))
        return self


def load_world(file: Path = DEFAULT_FILE) -> World:
    """The world of a file.

    Raises:
        RegionError: it can't be read, isn't YAML or doesn't fit the schema; every fault with key, value and reason.
    """
    try:
        state = file.stat()
    except OSError as error:
        raise RegionError(f"{file}: {error.strerror}") from error
    return _load(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _load(file: Path, _modified: int, _size: int) -> World:
    """Read once: the daemon asks every time it looks whether all is well."""
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise RegionError(f"{file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RegionError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    try:
        return World.model_validate(content)
    except ValidationError as error:
        raise RegionError("; ".join(f"{file}: {_fault(each)}" for each in error.errors())) from None


def provider_zones(world: World) -> list[ProviderZone]:
    """All zones that name servers of the world have to serve."""
    return [*(provider.zone() for provider in world.providers), *(zone.zone() for zone in world.zones)]


def reverse_names(world: World) -> dict[str, str]:
    """PTR of the MX hosts, by address."""
    return {mx.address: mx.host for provider in world.providers for mx in provider.mx}


def addresses(world: World) -> list[str]:
    """Every address that the internet's namespace must hold for DNS and the world."""
    mine = {ROOT_ADDRESS, PUBLIC_RESOLVER_ADDRESS, AUTHORITY_ADDRESS, *reverse_names(world)}
    mine |= {zone.name_server for zone in provider_zones(world)}
    return sorted(mine, key=IPv4Address)


def _unique(what: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value} is used twice")
        seen.add(value)


def _fault(error: Any) -> str:
    key = ""
    for step in error["loc"]:
        key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
    reason = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], str | int | float | bool):
        return (
            f"{key}: {error['input']!r} {reason}" if "value" not in reason else f"{key}: {error['input']!r}: {reason}"
        )
    return f"{key or 'the file'}: {reason}"

"""The whole file, and how it is read."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from postroad_region.dns.desired import AUTHORITY_ADDRESS, PUBLIC_RESOLVER_ADDRESS, ROOT_ADDRESS, ProviderZone
from postroad_region.dns.tree import provider_zone
from postroad_region.errors import RegionError
from postroad_region.world.definition.incidents import Incident, ScriptedIncident
from postroad_region.world.definition.mailboxes import MailboxRule
from postroad_region.world.definition.provider import KeyDigest, Provider
from postroad_region.world.definition.replies import REPLIES
from postroad_region.world.definition.values import Address, Host, MailAddress, Part, WorldSpan

DEFAULT_FILE = Path(__file__).parent.parent / "world.yaml"


class OtherZone(Part):
    """A zone of someone without mailboxes."""

    name: Host
    name_server: Address
    dnssec: Literal["signed", "unsigned", "bogus"] = "signed"
    records: tuple[str, ...] = ()

    def zone(self) -> ProviderZone:
        """The zone."""
        return ProviderZone(self.name, self.name_server, self.records, self.dnssec)


class FeedbackLoop(Part):
    """Where complaints about mail of a domain are reported, as a sender registers it with the providers."""

    domain: Host = Field(description="Of the envelope's sender, the From address or a DKIM signature; or above it.")
    address: MailAddress


class Ledger(Part):
    """How much the ledger keeps."""

    segment: int = Field(67_108_864, ge=4096, description="Octets after which a new file is begun.")
    keep: int = Field(1_073_741_824, ge=8192, description="Octets of all files; beyond, the oldest verdicts go.")


class World(Part):
    """The whole file."""

    day: WorldSpan = Field(86_400, gt=0, le=86_400, description="Real seconds that a day of the world lasts.")
    policy_address: Address | None = Field(None, description="Where the providers' MTA-STS policies are served.")
    ledger: Ledger = Ledger()
    feedback_loops: tuple[FeedbackLoop, ...] = ()
    recipients: tuple[MailboxRule, ...] = Field((), description="Rules of every provider, after its own.")
    providers: tuple[Provider, ...] = Field(min_length=1)
    zones: tuple[OtherZone, ...] = ()
    incidents: tuple[ScriptedIncident, ...] = ()

    @model_validator(mode="after")
    def _nothing_twice(self) -> "World":
        zones = provider_zones(self)
        _unique("provider", [provider.name for provider in self.providers])
        _unique("zone", [zone.name for zone in zones])
        servers = {zone.name_server for zone in zones}
        hosts = [mx for provider in self.providers for mx in provider.mx]
        policy = [self.policy_address] if self.policy_address else []
        _unique("address", [*servers, *policy, *(mx.address for mx in hosts)])
        _unique("MX host", [mx.host for mx in hosts])
        for zone in zones:
            for problem in provider_zone(zone.name, zone.records, zone.name_server)[2]:
                raise ValueError(str(problem))
        return self

    @model_validator(mode="after")
    def _all_that_is_named_is_there(self) -> "World":
        for provider in self.providers:
            if provider.mta_sts is not None and self.policy_address is None:
                raise ValueError(f"provider {provider.name} has mta_sts, so policy_address must be given")
        for rule in self.recipients:
            if rule.verdict is not None and rule.reply is None and rule.verdict not in REPLIES:
                raise ValueError(f"the rule for {rule.match} has a verdict of its own, so it needs a reply")
        for incident in self.incidents:
            check_incident(self, incident)
        return self


def check_incident(world: World, incident: Incident) -> None:
    """Whether the provider and host of an incident are there.

    Raises:
        ValueError: they aren't.
    """
    names = [provider.name for provider in world.providers]
    if incident.provider is not None and incident.provider not in names:
        raise ValueError(f"incident's provider {incident.provider!r} is none of {', '.join(names)}")
    concerned = [each for each in world.providers if incident.provider in (None, each.name)]
    hosts = [mx.host for each in concerned for mx in each.mx]
    if incident.host is not None and incident.host not in hosts:
        raise ValueError(f"incident's host {incident.host!r} is none of {', '.join(hosts)}")


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
        raise RegionError(
            "; ".join(f"{file}: {fault(each)}" for each in error.errors()),
            remedy="correct the file; docs/region/world.md tells what may stand in it",
        ) from None


def provider_zones(
    world: World, *, key_digest: KeyDigest | None = None, failing: Iterable[str] = ()
) -> list[ProviderZone]:
    """All zones that name servers of the world have to serve.

    Args:
        key_digest: see `HostKeys.digest`; without it no TLSA records are published.
        failing: providers whose zones aren't answered.
    """
    failing = set(failing)
    zones = []
    for provider in world.providers:
        of_provider = provider.zones(key_digest=key_digest, policy_address=world.policy_address)
        zones += [_failing(zone) for zone in of_provider] if provider.name in failing else of_provider
    return [*zones, *(zone.zone() for zone in world.zones)]


def _failing(zone: ProviderZone) -> ProviderZone:
    return ProviderZone(zone.name, zone.name_server, zone.records, zone.dnssec, answered=False)


def reverse_names(world: World) -> dict[str, str]:
    """PTR of the MX hosts, by address."""
    return {mx.address: mx.host for provider in world.providers for mx in provider.mx}


def addresses(world: World) -> list[str]:
    """Every address that the internet's namespace must hold for DNS and the world."""
    mine = {ROOT_ADDRESS, PUBLIC_RESOLVER_ADDRESS, AUTHORITY_ADDRESS, *reverse_names(world)}
    mine |= {zone.name_server for zone in provider_zones(world)}
    mine |= {world.policy_address} if world.policy_address else set()
    return sorted(mine, key=IPv4Address)


def fault(error: Any) -> str:
    """One of pydantic's errors as key, value and reason."""
    key = ""
    for step in error["loc"]:
        key += f"[{step}]" if isinstance(step, int) else f".{step}" if key else str(step)
    reason = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], str | int | float | bool):
        return (
            f"{key}: {error['input']!r} {reason}" if "value" not in reason else f"{key}: {error['input']!r}: {reason}"
        )
    return f"{key or 'the file'}: {reason}"


def _unique(what: str, values: Sequence[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{what} {value} is used twice")
        seen.add(value)

"""Every zone of the box, from what is desired: texts for NSD and unbound, and what had to be left out."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dns.name

from postroad_region.dns.desired import AUTHORITY_ADDRESS, DnsDesired, HostedZone, Problem
from postroad_region.dns.route53 import DEFAULT_NAME_SERVER, name_servers, zone_name, zone_of
from postroad_region.dns.signing import Signer
from postroad_region.dns.tree import IN_ADDR, Delegation, parent_zones, provider_zone, reverse_zones

Texts = Mapping[dns.name.Name, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """Zone texts by name.

    Args:
        parents: root, top-level domains and `in-addr.arpa`, signed.
        authority: hosted zones, providers' zones, and those of addresses.
        private: by VPC.
        problems: records and zones that aren't in any of them.
    """

    parents: Texts
    authority: Texts
    private: Mapping[str, Texts]
    problems: Sequence[Problem]


def answers(desired: DnsDesired, signer: Signer, *, now: datetime.datetime) -> Answers:
    """All zones; equal for equal arguments but for the signatures' times."""
    problems: list[Problem] = []
    authority, delegations = _authority(desired, signer, problems, now)
    parents = {zone.origin: signer.sign(zone, now=now) for zone in parent_zones(delegations, signer.ds)}
    private = {vpc.vpc_id: _private(vpc.vpc_id, desired, problems) for vpc in desired.vpcs}
    # A private zone's problems are found once for each of its VPCs.
    return Answers(parents, authority, private, tuple(dict.fromkeys(problems)))


def _authority(
    desired: DnsDesired, signer: Signer, problems: list[Problem], now: datetime.datetime
) -> tuple[Texts, list[Delegation]]:
    delegations: list[Delegation] = []
    reverse, reverse_problems = reverse_zones(desired.reverse)
    problems += reverse_problems
    texts = {zone.origin: zone.text() for zone in reverse}
    for provider in desired.provider_zones:
        zone, server, provider_problems = provider_zone(provider.name, provider.records, provider.name_server)
        problems += provider_problems
        signed = provider.dnssec != "unsigned"
        if provider.answered:
            texts[zone.origin] = signer.sign(zone, now=now) if signed else zone.text()
        ds = (signer.ds(zone.origin, stray=provider.dnssec == "bogus"),) if signed else ()
        delegations.append(Delegation(zone.origin, {server: provider.name_server}, ds))
    taken = {*texts, *(delegation.name for delegation in delegations)}
    public = _public(desired.hosted_zones, taken=taken, problems=problems)
    for name, hosted in public.items():
        zone, zone_problems = zone_of(hosted, desired.alias_targets)
        problems += zone_problems
        texts[name] = zone.text()
        # A zone below another hosted one is delegated by NS records in that one, or not at all.
        if not any(name != other and name.is_subdomain(other) for other in public):
            # A server needs a domain to have an address in.
            servers = [server for server in name_servers(zone) if len(server) > 2]
            servers = servers or [dns.name.from_text(DEFAULT_NAME_SERVER)]
            delegations.append(Delegation(name, dict.fromkeys(servers, AUTHORITY_ADDRESS)))
    return texts, delegations


def _public(
    hosted_zones: Sequence[HostedZone], *, taken: set[dns.name.Name], problems: list[Problem]
) -> dict[dns.name.Name, HostedZone]:
    public: dict[dns.name.Name, HostedZone] = {}
    for hosted in hosted_zones:
        if hosted.private:
            continue
        try:
            name = zone_name(hosted)
            if len(name) < 3 or name == IN_ADDR:
                raise ValueError("the registries' own zones aren't hosted by Route 53")
            if name in taken:
                raise ValueError("somebody else on the box's internet has it")
            if name in public:
                raise ValueError(f"zone {public[name].zone_id} has the name and the delegation already")
            public[name] = hosted
        except ValueError as error:
            problems.append(_left_out(hosted, error))
    return public


def _private(vpc_id: str, desired: DnsDesired, problems: list[Problem]) -> Texts:
    texts: dict[dns.name.Name, str] = {}
    for hosted in desired.hosted_zones:
        if not hosted.private or vpc_id not in hosted.vpc_ids:
            continue
        try:
            name = zone_name(hosted)
            if name in texts:
                raise ValueError(f"{vpc_id} has a zone of this name already")
        except ValueError as error:
            problems.append(_left_out(hosted, error))
            continue
        zone, zone_problems = zone_of(hosted, desired.alias_targets)
        problems += zone_problems
        texts[name] = zone.text()
    return texts


def _left_out(hosted: HostedZone, error: ValueError) -> Problem:
    return Problem(hosted.name, f"hosted zone {hosted.zone_id}", str(error))

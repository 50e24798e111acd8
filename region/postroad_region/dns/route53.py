"""Hosted zones as zone files: what Route 53 would answer.

Simplified: weighted, latency, failover, geolocation and multivalue records of one name are served together (a weight
of 0 is left out beside others), and health checks aren't looked at.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from dns.rdtypes.ANY.SPF import SPF
from dns.rdtypes.ANY.TXT import TXT

from postroad_region.dns.desired import HostedZone, Problem
from postroad_region.dns.names import character_strings, decimal_escapes, name_from_route53
from postroad_region.dns.zonefile import Zone, rdata

_TEXTS = {"TXT": TXT, "SPF": SPF}
_ALIAS_TTL = 60
_ZONE_NAME = re.compile(r"[a-z0-9_/.-]+\Z")
# What Route 53 writes itself: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html
_SOA_TTL, _SOA_TIMES = 900, "1 7200 900 1209600 86400"
_NS_TTL = 172800
DEFAULT_NAME_SERVER = "ns-0.awsdns-00.com."


def zone_of(hosted: HostedZone, alias_targets: Mapping[str, Sequence[str]]) -> tuple[Zone, list[Problem]]:
    """The zone, and the record sets that had to be left out.

    A missing SOA or NS set, or an SOA that doesn't parse, is written as Route 53 writes it for a new zone.

    Raises:
        ValueError: the zone's own name isn't one.
    """
    zone = Zone(name_from_route53(hosted.name))
    problems: list[Problem] = []
    targets = {name_from_route53(name): tuple(addresses) for name, addresses in alias_targets.items()}
    plain = [each for each in hosted.record_sets if "AliasTarget" not in each]
    aliases = [each for each in hosted.record_sets if "AliasTarget" in each]
    for record_set in _weighted(plain):
        _attempt(zone, record_set, problems, _rdatas)
    # An alias may point to an alias of the same zone that comes later: once more for each until nothing moves.
    pending = aliases
    while pending:
        left: list[Mapping[str, Any]] = []
        for record_set in pending:
            if _alias_target(record_set) in targets or _alias_key(record_set) in zone.rdatasets:
                _attempt(zone, record_set, problems, lambda each: _alias_rdatas(each, zone, targets))
            else:
                left.append(record_set)
        if len(left) == len(pending):
            problems += [
                Problem(hosted.name, _label(each), f"nothing is known of its target {each['AliasTarget']['DNSName']}")
                for each in left
            ]
            break
        pending = left
    _complete(zone)
    return zone, problems


def zone_name(hosted: HostedZone) -> dns.name.Name:
    """A hosted zone's name.

    Raises:
        ValueError: it isn't one, or one that can't stand in a server's configuration.
    """
    name = name_from_route53(hosted.name)
    if not _ZONE_NAME.match(name.to_text()):
        raise ValueError("only letters, digits, `-`, `_` and `/` make a zone's name here")
    return name


def name_servers(zone: Zone) -> tuple[dns.name.Name, ...]:
    """The servers that the zone itself names."""
    return tuple(sorted(each.target for each in zone.rdatasets[zone.origin, dns.rdatatype.NS]))


def _weighted(record_sets: Sequence[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    weights: dict[tuple[str, str], int] = defaultdict(int)
    for each in record_sets:
        weights[each["Name"], each["Type"]] += int(each.get("Weight", 0))
    for each in record_sets:
        if each.get("Weight") != 0 or weights[each["Name"], each["Type"]] == 0:
            yield each


def _attempt(zone: Zone, record_set: Mapping[str, Any], problems: list[Problem], rdatas: Any) -> None:
    try:
        name = name_from_route53(record_set["Name"])
        zone.add(name, int(record_set.get("TTL", _ALIAS_TTL)), rdatas(record_set))
    except ValueError as error:
        # A zone without SOA gets Route 53's; an API that garbles the one it made itself is no reason for a complaint.
        if record_set["Type"] != "SOA":
            problems.append(Problem(zone.origin.to_text(), _label(record_set), str(error)))


def _label(record_set: Mapping[str, Any]) -> str:
    return f"{record_set['Name']} {record_set['Type']}"


def _rdatas(record_set: Mapping[str, Any]) -> list[dns.rdata.Rdata]:
    kind = record_set["Type"]
    values = [record["Value"] for record in record_set.get("ResourceRecords", ())]
    if not values:
        raise ValueError("has no value")
    if kind in _TEXTS:
        return [
            _TEXTS[kind](dns.rdataclass.IN, dns.rdatatype.from_text(kind), character_strings(each)) for each in values
        ]
    return [rdata(kind, decimal_escapes(value)) for value in values]


def _alias_target(record_set: Mapping[str, Any]) -> dns.name.Name:
    return name_from_route53(record_set["AliasTarget"]["DNSName"])


def _alias_key(record_set: Mapping[str, Any]) -> tuple[dns.name.Name, dns.rdatatype.RdataType]:
    return _alias_target(record_set), dns.rdatatype.from_text(record_set["Type"])


def _alias_rdatas(
    record_set: Mapping[str, Any], zone: Zone, targets: Mapping[dns.name.Name, Sequence[str]]
) -> list[dns.rdata.Rdata]:
    addresses = targets.get(_alias_target(record_set))
    if addresses is None:
        return list(zone.rdatasets[_alias_key(record_set)])
    if record_set["Type"] != "A" or not addresses:
        raise ValueError("its target has no such address")
    return [rdata("A", address) for address in addresses]


def _complete(zone: Zone) -> None:
    if (zone.origin, dns.rdatatype.NS) not in zone.rdatasets:
        zone.add(zone.origin, _NS_TTL, [rdata("NS", DEFAULT_NAME_SERVER)])
    if (zone.origin, dns.rdatatype.SOA) not in zone.rdatasets:
        primary = name_servers(zone)[0].to_text()
        soa = rdata("SOA", f"{primary} awsdns-hostmaster.amazon.com. {_SOA_TIMES}")
        zone.add(zone.origin, _SOA_TTL, [soa])

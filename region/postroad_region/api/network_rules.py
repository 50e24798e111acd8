"""Security groups and network ACLs as the fabric takes them, read from moto's backends."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from postroad_region import addresses
from postroad_region.fabric.model import Acl, AclEntry, Rule, SecurityGroup

PROTOCOLS = {"-1": "all", "all": "all", "6": "tcp", "17": "udp", "1": "icmp"}
ALL_PORTS = (0, 65535)
# The rule `*` of every ACL: the fabric denies at the end by itself.
LAST_ENTRY = 32767


def security_group(group: Any, backend: Any) -> SecurityGroup:
    """A group with those of its rules that are about IPv4."""
    return SecurityGroup(
        id=group.id,
        ingress=tuple(rule for r in group.ingress_rules if (rule := _rule(r, backend))),
        egress=tuple(rule for r in group.egress_rules if (rule := _rule(r, backend))),
    )


def network_acl(acl: Any) -> Acl:
    """An ACL with those of its entries that are about IPv4."""
    ingress: list[AclEntry] = []
    egress: list[AclEntry] = []
    for entry in acl.network_acl_entries:
        if entry.cidr_block and int(entry.rule_number) < LAST_ENTRY:
            (egress if str(entry.egress).lower() == "true" else ingress).append(_entry(entry))
    return Acl(acl.id, tuple(ingress), tuple(egress))


def acl_of_subnets(backend: Any) -> dict[str, str]:
    """The id of each subnet's ACL."""
    return {
        str(association.subnet_id): str(acl.id)
        for acl in backend.network_acls.values()
        for association in acl._associations.values()
    }


def prefix_list(backend: Any, list_id: str) -> tuple[IPv4Network, ...]:
    """The ranges of a prefix list as they are in the box, where S3 is a single address; empty for an unknown one."""
    found = backend.managed_prefix_lists.get(list_id)
    if found is None:
        return ()
    if str(found.prefix_list_name).endswith(".s3"):
        return (IPv4Network(addresses.SERVICES),)
    entries = found.entries.get(found.version) or []
    return tuple(IPv4Network(entry["Cidr"]) for entry in entries if ":" not in entry["Cidr"])


def _rule(rule: Any, backend: Any) -> Rule | None:
    protocol = _protocol(rule.ip_protocol)
    ports = None
    if rule.from_port not in (None, -1):
        ports = (int(rule.from_port), int(rule.to_port))
    cidr = rule.ip_range.get("CidrIp")
    if cidr:
        return Rule(protocol, ports, (IPv4Network(cidr, strict=False),))
    if rule.prefix_list_id:
        networks = prefix_list(backend, _list_id(rule.prefix_list_id))
        return Rule(protocol, ports, networks) if networks else None
    other = rule.source_group.get("GroupId") if rule.source_group else None
    known = any(other in in_vpc for in_vpc in backend.groups.values())
    return Rule(protocol, ports, (), (str(other),)) if known else None


def _list_id(value: Any) -> str:
    """The id alone: of a rule that came with others in one call moto keeps the whole entry."""
    return str(value["PrefixListId"]) if isinstance(value, dict) else str(value)


def _entry(entry: Any) -> AclEntry:
    protocol = _protocol(entry.protocol)
    ports = None
    if protocol in ("tcp", "udp") and entry.port_range_from is not None:
        ports = (int(entry.port_range_from), int(entry.port_range_to))
    kind, code = entry.icmp_type, entry.icmp_code
    return AclEntry(
        number=int(entry.rule_number),
        protocol=protocol,
        allow=str(entry.rule_action).lower() == "allow",
        network=IPv4Network(entry.cidr_block, strict=False),
        ports=None if ports == ALL_PORTS else ports,
        icmp=(-1 if kind is None else int(kind), -1 if code is None else int(code)),
    )


def _protocol(value: Any) -> str:
    name = str(value).lower()
    return PROTOCOLS.get(name, name)

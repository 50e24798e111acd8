"""Route 53's hosted zones as the DNS of the box takes them."""

from __future__ import annotations

from typing import Any

from moto.route53.models import route53_backends

from postroad_region.dns.desired import HostedZone


def hosted_zones(account: str) -> list[HostedZone]:
    """All zones of the account; call it while no request changes the backends."""
    backend = route53_backends[account]["aws"]
    return [
        HostedZone(
            zone_id=zone.resource_id,
            name=zone.name,
            record_sets=[_record_set(record) for record in zone.rrsets],
            private=bool(zone.private_zone),
            vpc_ids=tuple(vpc["vpc_id"] for vpc in zone.vpcs),
        )
        for zone in backend.zones.values()
    ]


def _record_set(record: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"Name": record.name, "Type": record.type}
    if record.ttl is not None:
        described["TTL"] = int(record.ttl)
    if record.records:
        # moto keeps what the call gave: bare values for its own SOA and NS, mappings for everyone else's.
        values = [value if isinstance(value, str) else value["Value"] for value in record.records]
        described["ResourceRecords"] = [{"Value": value} for value in values]
    if record.alias_target:
        described["AliasTarget"] = record.alias_target
    return described

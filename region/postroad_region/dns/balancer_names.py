"""The names that Elastic Load Balancing gives to load balancers, as zones of the public tree."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from postroad_region.dns.desired import HostedZone

# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#availability-zones
TTL = 60


def balancer_zones(names: Mapping[str, Sequence[str]]) -> list[HostedZone]:
    """One zone a region, `elb.<region>.amazonaws.com`, with all names below it.

    An internal balancer's name is public too, and leads to private addresses.
    """
    records: dict[str, list[dict[str, object]]] = defaultdict(list)
    for name, addresses in sorted(names.items()):
        _, elb, rest = name.partition(".elb.")
        if elb and addresses:
            values = [{"Value": address} for address in addresses]
            records[f"elb.{rest}"].append({"Name": name, "Type": "A", "TTL": TTL, "ResourceRecords": values})
    return [HostedZone(f"ELB-{zone}", zone, sets) for zone, sets in records.items()]

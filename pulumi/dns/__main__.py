"""The DNS of a stack: resolvers in every zone, and the zone that only the VPCs see."""

from postroad_infra.private_zone import PrivateZone, PrivateZoneArgs
from postroad_infra.resolver_tier import ResolverTier, ResolverTierArgs
from postroad_infra.settings import DnsSettings, load_settings
from postroad_infra.stack_outputs import DnsOutputs, NetworkOutputs, export_outputs
from postroad_infra.tags import Tags

settings = load_settings(DnsSettings)
tags = Tags(settings.stack)
network = NetworkOutputs.of_stack(settings.zones)

resolvers = ResolverTier("resolver", ResolverTierArgs(network=network, fleet=settings.resolvers, tags=tags))
private_zone = PrivateZone(
    "internal",
    PrivateZoneArgs(
        domain=settings.private_zone,
        vpc_ids=[network.mail_vpc_id, network.dns_vpc_id],
        protection=settings.protection,
        tags=tags,
    ),
)
export_outputs(
    DnsOutputs(
        private_zone_id=private_zone.zone_id, private_zone=settings.private_zone, resolver_groups=resolvers.groups
    )
)

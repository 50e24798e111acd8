"""The simulated internet's mailbox providers: one YAML file, and the one process that is all of them."""

from postroad_region.world.definition import World, addresses, load_world, provider_zones, reverse_names
from postroad_region.world.publication import failing_providers, published_zones
from postroad_region.world.supervised import WorldProcess

__all__ = [
    "World",
    "WorldProcess",
    "addresses",
    "failing_providers",
    "load_world",
    "provider_zones",
    "published_zones",
    "reverse_names",
]

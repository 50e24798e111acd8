"""What the daemon publishes in the DNS for the world: its zones with what only the world's folder knows."""

import json
from collections.abc import Iterable
from pathlib import Path

from postroad_region.atomic_file import write_atomically
from postroad_region.dns.desired import ProviderZone
from postroad_region.world.certificates import HostKeys
from postroad_region.world.definition.world import World, provider_zones

_FAILING = "failing-zones.json"


def published_zones(world: World, state: Path) -> list[ProviderZone]:
    """All zones: TLSA of the hosts' keys, and without those that fail now.

    Args:
        state: the world's folder; keys are made in it when missing.
    """
    return provider_zones(world, key_digest=host_keys(state).digest, failing=failing_providers(state))


def host_keys(state: Path) -> HostKeys:
    """The keys of the world's hosts."""
    return HostKeys(state / "keys")


def failing_providers(state: Path) -> list[str]:
    """Providers whose zones aren't to be answered now, as the world last said."""
    try:
        found = json.loads((state / _FAILING).read_text())
    except (OSError, ValueError):
        return []
    return [str(name) for name in found] if isinstance(found, list) else []


def tell_failing(state: Path, providers: Iterable[str]) -> None:
    """Say which providers' zones aren't to be answered."""
    write_atomically(state / _FAILING, json.dumps(sorted(providers)))

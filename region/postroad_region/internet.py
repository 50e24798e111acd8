"""What stands outside the VPCs: DNS from the root down, and the mailbox providers; kept running and told of every
change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from postroad_region import addresses
from postroad_region.api.snapshot import Snapshot
from postroad_region.dns import DnsDesired, DnsPlane, Vpc
from postroad_region.dns.balancer_names import balancer_zones
from postroad_region.dns.desired import HostedZone
from postroad_region.errors import RegionError
from postroad_region.fabric import links
from postroad_region.paths import Paths
from postroad_region.world import World, WorldProcess, failing_providers, load_world, published_zones, reverse_names
from postroad_region.world import addresses as world_addresses

log = structlog.get_logger("internet")

# The S3 endpoint's names, those of buckets below it included, lead to the region's own API.
SERVICE_NAMES = ("s3.us-east-1.amazonaws.com", "s3.amazonaws.com")


class Internet:
    """The DNS plane and the world as the daemon drives them."""

    def __init__(self, paths: Paths) -> None:
        internet = ["nsenter", f"--net=/run/netns/{addresses.INTERNET}"]
        fabric = ["nsenter", f"--net=/run/netns/{addresses.FABRIC}"]
        self._dns = DnsPlane(paths.state / "dns", paths.run, internet, fabric)
        self._world_state = paths.state / "world"
        self._world = WorldProcess(self._world_state, paths.run, internet, ca_dir=paths.state / "ca")
        self._last: World | None = None
        self._held: list[str] = []
        self._failing: list[str] = []
        self.faults: dict[str, str] = {}

    def addresses(self) -> list[str]:
        """Addresses of the internet's namespace."""
        return world_addresses(load_world())

    def needs_look(self) -> bool:
        """Whether the world wants other zones answered than at the last `apply`."""
        return failing_providers(self._world_state) != self._failing

    def apply(
        self, wanted: Snapshot, zones: list[HostedZone], balancers: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Have DNS and world as they should be; what fails is in `faults` and tried again at the next call.

        Args:
            balancers: the addresses that load balancers' names lead to.
        """
        self.faults = {}
        world = self._load()
        self._failing = failing_providers(self._world_state)
        self._attempt("addresses", self._hold_addresses)
        desired = DnsDesired(
            hosted_zones=[*zones, *balancer_zones(balancers or {})],
            alias_targets=balancers or {},
            provider_zones=published_zones(world, self._world_state),
            reverse={**reverse_names(world), **dict(wanted.reverse)},
            vpcs=[
                Vpc(vpc, str(addresses.resolver_of(network)), [str(addresses.VPC_RANGE)])
                for vpc, network in wanted.fabric.vpcs
            ],
            service_names=dict.fromkeys(SERVICE_NAMES, str(addresses.SERVICES)),
            outgoing_address=str(addresses.FABRIC_PUBLIC),
        )
        self._attempt("dns", lambda: self._dns.apply(desired))
        self._attempt("world", self._world.ensure)

    def stop(self) -> None:
        """End its processes."""
        self._world.stop()
        self._dns.stop()

    def status(self) -> dict[str, Any]:
        """What runs."""
        dns = self._dns.status()
        return {"dns": dict(dns.processes), "zones": dict(dns.zones), "world": self._world.status().running}

    def _load(self) -> World:
        """The world's file; while a changed one is wrong, the last that was right."""
        try:
            self._last = load_world()
        except RegionError as error:
            if self._last is None:
                raise
            self.faults["world's file"] = str(error)
        return self._last

    def _hold_addresses(self) -> None:
        """Those of a world's file that was changed while the daemon runs, too."""
        if self._last is not None and self._held != (wanted := world_addresses(self._last)):
            links.ensure_backbone(wanted)
            self._held = wanted

    def _attempt(self, subject: str, action: Callable[[], object]) -> None:
        try:
            action()
        except (RegionError, OSError) as error:
            self.faults[subject] = str(error)
            log.warning("fault", subject=subject, reason=str(error))

"""What stands outside the VPCs: DNS from the root down, and the mailbox providers; kept running and told of every change."""

from __future__ import annotations

from typing import Any

from postroad_region.api.snapshot import Snapshot
from postroad_region.paths import Paths


class Internet:
    """The DNS plane and the world as the daemon drives them."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self.faults: dict[str, str] = {}

    def addresses(self) -> list[str]:
        """Addresses of the internet's namespace."""
        return []

    def read_zones(self, account: str) -> Any:
        return []

    def apply(self, wanted: Snapshot, zones: Any) -> None:
        """x"""

    def stop(self) -> None:
        """End its processes."""

    def status(self) -> dict[str, Any]:
        return {}

"""The tags of every resource: what it belongs to and what it is for; the inventory and the policies read them."""

from __future__ import annotations

from dataclasses import dataclass

PROJECT = "postroad"

REQUIRED = ("Project", "Environment", "Tier", "Name")
"""What every resource that takes tags must carry; a resource that lies in one zone has `Zone` too."""


@dataclass(frozen=True, slots=True)
class Tags:
    """Makes the tags of an environment's resources."""

    environment: str

    def of(self, *, tier: str, name: str, zone: str | None = None, **more: str) -> dict[str, str]:
        """The tags of one resource.

        Args:
            tier: what it serves: `network`, `resolver`, `mta`, `proxy` …
            name: the name that people know it by; unique within its kind.
            zone: the availability zone it lies in, if it lies in one.
            more: further tags, by key.
        """
        tags = {"Project": PROJECT, "Environment": self.environment, "Tier": tier, "Name": name}
        if zone is not None:
            tags["Zone"] = zone
        return tags | more

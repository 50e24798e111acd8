"""The injected faults and limits as one value, and as the JSON in which they outlive the daemon."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from postroad_region.fabric.limits import Allowance

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is injected.

    Args:
        zones_down: zones (`us-east-1a`) whose hosts and balancers reach nobody.
        partitions: pairs of zones, sorted, between which no packet passes.
        frozen: ids of instances whose processes stand still.
        killed: ids of instances whose hardware failed.
        disks: octets left free by volume id; 0 is a full disk.
        inodes: ids of volumes without a free inode.
        limits: allowances by instance id.
    """

    zones_down: frozenset[str] = frozenset()
    partitions: frozenset[tuple[str, str]] = frozenset()
    frozen: frozenset[str] = frozenset()
    killed: frozenset[str] = frozenset()
    disks: Mapping[str, int] = field(default_factory=dict)
    inodes: frozenset[str] = frozenset()
    limits: Mapping[str, Allowance] = field(default_factory=dict)

    def with_zone(self, zone: str, *, down: bool) -> Faults:
        """A zone taken down, or up again."""
        return dataclasses.replace(self, zones_down=_with(self.zones_down, zone, present=down))

    def with_partition(self, one: str, other: str, *, cut: bool) -> Faults:
        """Two zones cut from each other, or joined again; the order doesn't matter."""
        pair = (min(one, other), max(one, other))
        return dataclasses.replace(self, partitions=_with(self.partitions, pair, present=cut))

    def with_frozen(self, instance_id: str, *, frozen: bool) -> Faults:
        """A host's processes stopped where they are, or going on."""
        return dataclasses.replace(self, frozen=_with(self.frozen, instance_id, present=frozen))

    def with_killed(self, instance_id: str, *, killed: bool) -> Faults:
        """A host's hardware failed, or whole again."""
        return dataclasses.replace(self, killed=_with(self.killed, instance_id, present=killed))

    def with_disk(self, volume_id: str, *, free: int | None, inodes: bool = False) -> Faults:
        """A volume with so many octets left, or without a free inode; `free` None gives the volume back."""
        disks = {key: value for key, value in self.disks.items() if key != volume_id}
        if free is not None:
            disks[volume_id] = free
        return dataclasses.replace(self, disks=disks, inodes=_with(self.inodes, volume_id, present=inodes))

    def with_limit(self, instance_id: str, allowance: Allowance | None) -> Faults:
        """A host with this allowance in place of what it had; None is no limit."""
        limits = {key: value for key, value in self.limits.items() if key != instance_id}
        if allowance is not None and allowance != Allowance():
            limits[instance_id] = allowance
        return dataclasses.replace(self, limits=limits)

    def without_gone(self, *, instances: Mapping[str, str], volumes: Iterable[str]) -> Faults:
        """What is left when instances and volumes are gone: a fault ends with what it was injected into.

        Args:
            instances: state by instance id. A stopped instance gets other hardware at its next start, so what was
                killed or frozen is whole.
        """
        known = set(volumes)
        started = {instance for instance, state in instances.items() if state != "stopped"}
        return dataclasses.replace(
            self,
            frozen=self.frozen & started,
            killed=self.killed & started,
            disks={volume: free for volume, free in self.disks.items() if volume in known},
            inodes=self.inodes & known,
            limits={instance: each for instance, each in self.limits.items() if instance in instances},
        )

    def document(self) -> dict[str, Any]:
        """As JSON; what isn't injected isn't mentioned."""
        found: dict[str, Any] = {
            "zones_down": sorted(self.zones_down),
            "partitions": sorted(list(pair) for pair in self.partitions),
            "frozen": sorted(self.frozen),
            "killed": sorted(self.killed),
            "disks": dict(sorted(self.disks.items())),
            "inodes": sorted(self.inodes),
            "limits": {instance: _stated(allowance) for instance, allowance in sorted(self.limits.items())},
        }
        return {key: value for key, value in found.items() if value}


def parse(document: Mapping[str, Any]) -> Faults:
    """The faults of a document that `Faults.document` made.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: it isn't one.
    """
    unknown = set(document) - {each.name for each in dataclasses.fields(Faults)}
    if unknown:
        raise ValueError(f"unknown fault {min(unknown)}")
    return Faults(
        zones_down=frozenset(map(str, document.get("zones_down", ()))),
        partitions=frozenset((str(one), str(other)) for one, other in document.get("partitions", ())),
        frozen=frozenset(map(str, document.get("frozen", ()))),
        killed=frozenset(map(str, document.get("killed", ()))),
        disks={str(volume): int(free) for volume, free in document.get("disks", {}).items()},
        inodes=frozenset(map(str, document.get("inodes", ()))),
        limits={str(instance): Allowance(**each) for instance, each in document.get("limits", {}).items()},
    )


def _stated(allowance: Allowance) -> dict[str, int]:
    return {key: value for key, value in dataclasses.asdict(allowance).items() if value is not None}


def _with(members: frozenset[T], member: T, *, present: bool) -> frozenset[T]:
    return members | {member} if present else members - {member}

"""Makes the injected faults true, in each pass of the reconciler, from what is on the machine and not from memory."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog

from postroad_region import addresses
from postroad_region.errors import RegionError
from postroad_region.fabric import limits, links
from postroad_region.fabric.cuts import cuts_table
from postroad_region.fabric.limits import LimitedHost, limits_table
from postroad_region.fabric.model import Fabric
from postroad_region.faults import ballast, freezer
from postroad_region.faults.file import FaultsFile
from postroad_region.faults.model import Faults
from postroad_region.hypervisor.volumes import has_its_own_limit

log = structlog.get_logger("faults")


class Enforcer:
    """One for each daemon; what it was killed over, the next one's first pass makes true."""

    def __init__(self, file: FaultsFile, volumes: Path) -> None:
        self._file = file
        self._volumes = volumes
        self._begun = Faults()
        self._applied: Faults | None = None
        self._cuts = ""
        self._limits = ""

    def needs_look(self) -> bool:
        """Whether other faults are wanted than at the last pass."""
        try:
            return self._file.read() != self._applied
        except RegionError:
            return True

    def begin(self, *, instances: Mapping[str, str], volumes: Iterable[str]) -> None:
        """Read what is wanted in this pass; faults of what is gone end here.

        Args:
            instances: state by instance id, as the API has them.
            volumes: all volumes' ids.

        Raises:
            RegionError: the file can't be read.
        """
        listed = list(volumes)
        self._begun = self._file.update(lambda faults: faults.without_gone(instances=instances, volumes=listed))

    def end(self) -> None:
        """What `begin` read is true now."""
        if (self._applied or Faults()) != self._begun:
            log.info("injected", **self._begun.document())
        self._applied = self._begun

    def is_dead(self, instance_id: str) -> bool:
        """Whether the instance's hardware failed, so that its host isn't started."""
        return instance_id in self._begun.killed

    def impaired(self) -> frozenset[str]:
        """Ids of the instances whose status checks fail."""
        return self._begun.killed

    def apply_network(self, fabric: Fabric) -> None:
        """Cuts and allowances.

        Raises:
            RegionError: nftables refuses.
        """
        wanted = self._begun
        cuts = cuts_table(
            fabric.interfaces,
            zones_down=wanted.zones_down,
            instances_down=wanted.killed,
            partitions=wanted.partitions,
        )
        if cuts != self._cuts:
            links.load_rules(cuts)
            self._cuts = cuts
        hosts = [
            LimitedHost(instance, tuple(sorted(i.link for i in fabric.interfaces if i.instance_id == instance)), each)
            for instance, each in wanted.limits.items()
        ]
        resolvers = [addresses.resolver_of(network) for _, network in fabric.vpcs]
        # Compared without the counters, which go on by themselves.
        text = limits_table(hosts, resolvers)
        if text != self._limits:
            links.load_rules(limits_table(hosts, resolvers, limits.counters()))
            self._limits = text

    def apply_to_host(self, instance_id: str, pid: int) -> None:
        """Freeze, thaw or kill a host by the id of its first process.

        Raises:
            RegionError: its processes can't be frozen.
        """
        if instance_id in self._begun.killed:
            self.release_host(pid)
            os.kill(pid, signal.SIGKILL)
            log.info("killed", instance=instance_id)
        elif instance_id in self._begun.frozen:
            freezer.set_frozen(pid, frozen=True)
        else:
            self.release_host(pid)

    @staticmethod
    def release_host(pid: int) -> None:
        """Thaw a host, e.g. one that is to be stopped or removed: what stands still can't end.

        A machine that can't freeze has nothing to thaw.
        """
        with contextlib.suppress(RegionError):
            freezer.set_frozen(pid, frozen=False)

    def apply_to_volumes(self, volumes: Iterable[str]) -> None:
        """Fill and empty volumes.

        Raises:
            RegionError: a volume that should be full has no limit of its own.
            OSError: it can't be written.
        """
        for volume in volumes:
            root = self._volumes / volume
            if not has_its_own_limit(self._volumes, volume):
                if volume in self._begun.disks or volume in self._begun.inodes:
                    raise RegionError(
                        f"{volume} is a plain folder without a size of its own", remedy="replace it by a new volume"
                    )
                continue
            if volume in self._begun.disks:
                ballast.lay(root, self._begun.disks[volume])
            else:
                ballast.lift(root)
            if volume in self._begun.inodes:
                ballast.take_inodes(root)
            else:
                ballast.give_inodes(root)

    def status(self, wake: Callable[[], None]) -> dict[str, Any]:
        """What is injected, and whether it is true yet; `wake` is called when it isn't, so that asking speeds it up."""
        behind = self.needs_look()
        if behind:
            wake()
        try:
            return {"applied": not behind, **self._file.read().document()}
        except RegionError as error:
            return {"applied": False, "fault": str(error)}

"""Makes the machine match the API: fabric, volumes and hosts, from what is, not from what was done before."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from postroad_region.api.seed import BASE_AMI
from postroad_region.api.snapshot import Snapshot
from postroad_region.errors import RegionError
from postroad_region.fabric import links
from postroad_region.fabric.interfaces import Interfaces
from postroad_region.fabric.model import Fabric
from postroad_region.fabric.ruleset import ruleset
from postroad_region.faults.enforcer import Enforcer
from postroad_region.faults.file import FaultsFile
from postroad_region.hypervisor import hosts, images, volumes
from postroad_region.hypervisor.bakery import Bakery
from postroad_region.hypervisor.hosts import Host
from postroad_region.hypervisor.model import Instance
from postroad_region.paths import Paths

log = structlog.get_logger("reconciler")

# A full look at links and containers without any change in the API: catches what someone changed by hand.
FULL_LOOK_SECONDS = 60.0
STARTS_AT_ONCE = 3
# The subject of what can't be injected.
INJECTED = "injected"


@dataclass(slots=True)
class Outcome:
    """What the last pass left: instances in service, what failed, by subject, and images that were decided, by AMI."""

    running: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)


class Reconciler:
    """One pass at a time; a fault in one subject doesn't keep the others from converging."""

    def __init__(self, paths: Paths, base_image: str) -> None:
        self._paths = paths
        self._base_image = base_image
        self._fabric: Fabric | None = None
        self._interfaces = Interfaces()
        self._pids: dict[str, int] = {}
        self._looked = 0.0
        self.injected = Enforcer(FaultsFile(paths.faults), paths.volumes)
        self._bakery = Bakery(self.injected.release_host)
        self.outcome = Outcome()

    def needs_look(self) -> bool:
        """Whether something may differ though the API didn't change: a host's first process is gone, or it is time."""
        if time.monotonic() - self._looked > FULL_LOOK_SECONDS or self.outcome.faults or self.injected.needs_look():
            return True
        return any(not Path(f"/proc/{pid}").exists() for pid in self._pids.values())

    def reconcile(self, snapshot: Snapshot) -> Outcome:
        """One pass over everything; what failed is in the outcome and tried again at the next."""
        outcome = Outcome()
        self._attempt(INJECTED, outcome, lambda: self._begin_injected(snapshot))
        self._attempt("fabric", outcome, lambda: self._apply_fabric(snapshot.fabric))
        self._attempt(INJECTED, outcome, lambda: self.injected.apply_network(snapshot.fabric))
        self._attempt("hosts", outcome, lambda: self._apply_hosts(snapshot, outcome))
        # After the hosts: one that stops has its network until it has.
        self._attempt("fabric", outcome, lambda: self._interfaces.remove_others(snapshot.fabric.interfaces))
        self._attempt("volumes", outcome, lambda: self._drop_deleted_volumes(snapshot))
        attached = sorted({volume for instance in snapshot.instances for volume in instance.volumes})
        self._attempt(INJECTED, outcome, lambda: self.injected.apply_to_volumes(attached))
        if not any(subject.startswith(INJECTED) for subject in outcome.faults):
            self.injected.end()
        for subject, reason in outcome.faults.items():
            if self.outcome.faults.get(subject) != reason:
                log.warning("fault", subject=subject, reason=reason)
        self._looked = time.monotonic()
        self.outcome = outcome
        return outcome

    def _attempt(self, subject: str, outcome: Outcome, action: Callable[[], None]) -> None:
        try:
            action()
        except (RegionError, OSError) as error:
            outcome.faults[subject] = str(error)

    def _begin_injected(self, snapshot: Snapshot) -> None:
        states = {instance.id: instance.state for instance in snapshot.instances}
        self.injected.begin(instances=states, volumes=snapshot.volumes)

    def _apply_fabric(self, fabric: Fabric) -> None:
        links.ensure_routers(fabric)
        self._interfaces.ensure(fabric.interfaces)
        if fabric != self._fabric:
            links.load_rules(ruleset(fabric))
            self._fabric = fabric

    def _apply_hosts(self, snapshot: Snapshot, outcome: Outcome) -> None:
        present = hosts.all_hosts()
        self._attempt("images", outcome, lambda: self._bakery.bake(snapshot.images, present, outcome.images))
        if any(image.pending for image in snapshot.images):
            present = hosts.all_hosts()
        wanted = {instance.id: instance for instance in snapshot.instances}
        for instance_id in sorted(set(present) - set(wanted)):
            self._attempt(instance_id, outcome, lambda h=present[instance_id]: self._remove(h))  # type: ignore[misc]
        sizes = dict(snapshot.sizes)
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            list(
                pool.map(
                    lambda i: self._attempt(i.id, outcome, lambda: self._apply(i, present.get(i.id), sizes)),
                    wanted.values(),
                )
            )
        self._drop_leftovers(set(wanted))
        self._attempt("images", outcome, lambda: self._bakery.tidy(snapshot.images, snapshot.instances))
        after = hosts.all_hosts()
        self._pids = {host.instance_id: host.pid for host in after.values() if host.running}
        for instance_id, pid in self._pids.items():
            inject = partial(self.injected.apply_to_host, instance_id, pid)
            self._attempt(f"{INJECTED} {instance_id}", outcome, inject)
        outcome.running = len(self._pids)

    def _apply(self, instance: Instance, host: Host | None, sizes: dict[str, int]) -> None:
        folder = self._paths.instances / instance.id
        if instance.state == "running":
            if host is None:
                image = images.image_for(instance.image, base_ami=BASE_AMI, base_image=self._base_image)
                hosts.create(instance, image=image, folder=folder)
                log.info("created", instance=instance.id, name=instance.tags.get("Name"), address=str(instance.address))
            volumes.ensure_attached(self._paths.volumes, folder, instance.volumes, sizes)
            if (host is None or not host.running) and not self.injected.is_dead(instance.id):
                hosts.start(instance.id)
                log.info("started", instance=instance.id, name=instance.tags.get("Name"))
        elif host is not None and host.running:
            self.injected.release_host(host.pid)
            hosts.stop(instance.id)
            log.info("stopped", instance=instance.id)

    def _remove(self, host: Host) -> None:
        instance_id = host.instance_id
        if host.running:
            self.injected.release_host(host.pid)
        hosts.remove(instance_id)
        volumes.release(self._paths.instances / instance_id)
        links.remove_instance(instance_id)
        log.info("removed", instance=instance_id)

    def _drop_leftovers(self, wanted: set[str]) -> None:
        """Folders and namespaces of instances that are gone, from a pass that was cut short."""
        for folder in self._paths.instances.iterdir():
            if folder.name not in wanted:
                volumes.release(folder)
        for name in links.instance_namespaces() - wanted:
            links.remove_instance(name)

    def _drop_deleted_volumes(self, snapshot: Snapshot) -> None:
        for volume in snapshot.deleted_volumes:
            if volume not in snapshot.volumes:
                volumes.delete(self._paths.volumes, volume)

"""All balancers as the daemon drives them: kept running, watched, and told of every change."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog

from postroad_region.balancer.configuration import OPEN
from postroad_region.balancer.health import TargetState, answering, first_passes, target_states
from postroad_region.balancer.model import Balancer, Node, TargetGroup
from postroad_region.balancer.node import NodeServer
from postroad_region.balancer.statistics import Sighting
from postroad_region.errors import RegionError
from postroad_region.fabric import links
from postroad_region.paths import Paths

log = structlog.get_logger("balancer")

WATCH_SECONDS = 1.0
NAMESPACES = Path("/run/netns")
PREFIX = "nlb-"

States = dict[tuple[str, str], TargetState]


class Balancers:
    """HAProxy by node of a balancer, and what they see.

    What is right already is left alone, so `apply` may be called at every pass. HAProxy goes on without the daemon;
    only the API's knowledge of health stands still meanwhile.

    Args:
        changed: called, in a thread of its own, when a target became healthy or unhealthy.
        enter: the command prefix that runs a command in a node's network namespace.
        namespaces: the folder of named network namespaces; those of nodes that aren't wanted are removed.
    """

    def __init__(
        self,
        paths: Paths,
        changed: Callable[[], None] = lambda: None,
        *,
        enter: Callable[[str], Sequence[str]] = lambda name: ("nsenter", f"--net={NAMESPACES / name}"),
        namespaces: Path = NAMESPACES,
    ) -> None:
        self._state_dir = paths.state / "balancers"
        self._run_dir = paths.run / "balancers"
        self._changed = changed
        self._enter = enter
        self._namespaces = namespaces
        self._balancers: tuple[Balancer, ...] = ()
        self._seen: dict[str, dict[tuple[str, str], Sighting]] = {}
        self._up: dict[str, frozenset[tuple[str, str]]] = {}
        self._cut: set[tuple[str, str, float]] = set()
        # Who holds it may change a node's files.
        self._files = threading.Lock()
        self._stopping = threading.Event()
        self._watching: threading.Thread | None = None
        self.faults: dict[str, str] = {}

    def apply(self, balancers: Sequence[Balancer]) -> None:
        """Have a HAProxy for each node, and none else; what fails is in `faults` and tried again at the next call.

        Each node's network namespace with its interface must be there.
        """
        faults = {f"balancer {b.name}": "; ".join(b.unsupported) for b in balancers if b.unsupported}
        for balancer in balancers:
            for node in balancer.nodes:
                try:
                    with self._files:
                        self._server(node.name).apply(balancer, node)
                except (RegionError, OSError) as error:
                    faults[f"balancer {balancer.name} {node.zone}"] = str(error)
        self._balancers = tuple(balancers)
        wanted = {node.name for balancer in balancers for node in balancer.nodes}
        for name in self._present() - wanted:
            self._remove(name)
        for subject, reason in faults.items():
            if self.faults.get(subject) != reason:
                log.warning("fault", subject=subject, reason=reason)
        self.faults = faults
        if balancers and self._watching is None:
            # A daemon that was just started knows at its first pass what the last one knew.
            self.look()
            self._watching = threading.Thread(target=self._watch, name="balancers", daemon=True)
            self._watching.start()

    def needs_look(self) -> bool:
        """Whether a HAProxy is gone that should run."""
        return any(self._server(node.name).process.running() is None for _, node in self._nodes())

    def look(self) -> None:
        """Ask every node what it sees now, and act on it."""
        now = time.time()
        moved = False
        for balancer, node in self._nodes():
            server = self._server(node.name)
            sightings = server.sightings()
            if sightings is None:
                continue
            self._seen = {**self._seen, node.name: sightings}
            up = frozenset(key for key, s in sightings.items() if s.up and not key[0].endswith(OPEN))
            if self._up.get(node.name) != up:
                with self._files:
                    server.remember(balancer, node, up)
                self._up[node.name] = up
                moved = True
        for balancer in self._balancers:
            for name, backend, target in first_passes(balancer, self._seen, now):
                self._server(name).accept(backend, target)
            for group in balancer.groups:
                self._end_draining(balancer, group, now)
        if moved:
            self._changed()

    def states(self) -> States:
        """Every target's health by group ARN and target id."""
        now = time.time()
        found: States = {}
        for balancer in self._balancers:
            found |= target_states(balancer, self._seen, now)
        return found

    def unhealthy_targets(self) -> set[tuple[str, str]]:
        """Group ARN and target id of those that fail their health check."""
        return {key for key, state in self.states().items() if state.state == "unhealthy"}

    def draining_targets(self) -> set[tuple[str, str]]:
        """The same of those whose deregistration delay runs."""
        return {key for key, state in self.states().items() if state.state == "draining"}

    def names(self) -> dict[str, list[str]]:
        """Addresses by DNS name: the balancer's leads to its healthy zones, and each zone has a name of its own."""
        found: dict[str, list[str]] = {}
        for balancer in self._balancers:
            addresses = answering(balancer, self._seen)
            found[balancer.dns_name] = sorted(map(str, addresses.values()))
            for node in balancer.nodes:
                found[f"{node.zone}.{balancer.dns_name}"] = [str(node.public or node.address)]
        return found

    def status(self) -> dict[str, Any]:
        """By balancer: its name's addresses, whether its nodes run, and its targets' health."""
        states = self.states()
        return {
            balancer.name: {
                "name": balancer.dns_name,
                "nodes": {
                    node.zone: {
                        "address": str(node.address),
                        "public": str(node.public) if node.public else None,
                        "running": self._server(node.name).process.running() is not None,
                        "answers": node.zone in answering(balancer, self._seen),
                    }
                    for node in balancer.nodes
                },
                "targets": {
                    target: state.state
                    for (arn, target), state in sorted(states.items())
                    if arn in {group.arn for group in balancer.groups}
                },
            }
            for balancer in self._balancers
        }

    def close(self) -> None:
        """Watch no more; the balancers go on."""
        self._stopping.set()
        if self._watching is not None:
            self._watching.join(10)

    def stop(self) -> None:
        """End every HAProxy, those of a former daemon too, with the nodes' namespaces and files."""
        self.close()
        self._balancers = ()
        for name in self._present():
            self._remove(name)

    def _nodes(self) -> Iterator[tuple[Balancer, Node]]:
        for balancer in self._balancers:
            for node in balancer.nodes:
                yield balancer, node

    def _server(self, name: str) -> NodeServer:
        return NodeServer(name, state_dir=self._state_dir, run_dir=self._run_dir, prefix=self._enter(name))

    def _present(self) -> set[str]:
        """Nodes that left a trace on the machine."""
        folders = {path.name for path in self._state_dir.glob(f"{PREFIX}*")}
        return folders | {path.name for path in self._namespaces.glob(f"{PREFIX}*")}

    def _remove(self, name: str) -> None:
        with self._files:
            self._server(name).stop()
            links.remove_instance(name)
            shutil.rmtree(self._state_dir / name, ignore_errors=True)
        self._seen = {key: value for key, value in self._seen.items() if key != name}
        self._up.pop(name, None)
        log.info("removed", node=name)

    def _end_draining(self, balancer: Balancer, group: TargetGroup, now: float) -> None:
        """Cut what is left of a target's connections when its delay ends, where the group asks for that."""
        ended = {(group.arn, d.id, d.until) for d in group.draining if group.terminates and d.until <= now} - self._cut
        if ended:
            backends = (group.name, group.name + OPEN)
            targets = {(backend, target) for _, target, _ in ended for backend in backends}
            for node in balancer.nodes:
                self._server(node.name).cut(targets)
            self._cut |= ended

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_SECONDS):
            try:
                self.look()
            except (RegionError, OSError) as error:
                log.warning("watch", reason=str(error))

"""The region's daemon: serves the AWS API and makes the machine match it.

It may be killed at any moment: what should be is in the saved API state, what is can be seen on the machine, and the
next daemon goes on from there.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading
from typing import Any

import structlog

from postroad_region import addresses, guard
from postroad_region.api import seed
from postroad_region.errors import RegionError
from postroad_region.fabric import links
from postroad_region.fabric.namespace import listen_in
from postroad_region.hypervisor import volumes
from postroad_region.hypervisor.metadata import MetadataService
from postroad_region.hypervisor.model import Instance
from postroad_region.paths import Paths

log = structlog.get_logger("daemon")

API_PORT = 5580
IDLE_SECONDS = 2.0
# How often alarms, scaling and lifecycle timeouts are looked at.
PULSE_SECONDS = 1.0


class Daemon:
    """Owns the API, the metadata service, the reconciler, the balancers, DNS and the world, as long as it lives."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._by_address: dict[str, Instance] = {}
        self._endpoints: dict[str, str] = {}
        self._lock_file: Any = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; hosts and servers stay up.

        Raises:
            RegionError: another daemon runs, or what it stands on can't be made.
        """
        self._own()
        guard.raise_guard()
        seed.prepare(self._paths.api_state)
        # moto reads its environment when it is imported.
        from postroad_region.api import console, elbv2_targets, images, patches, snapshot  # noqa: F401
        from postroad_region.api.autoscaling.observation import seen
        from postroad_region.api.server import Api
        from postroad_region.api.state import StateFile
        from postroad_region.api.zones import hosted_zones
        from postroad_region.balancer.balancers import Balancers
        from postroad_region.internet import Internet
        from postroad_region.reconciler import Reconciler

        internet = Internet(self._paths)
        balancers = Balancers(self._paths, self._woken.set)
        elbv2_targets.observed = balancers.states
        images.baked_by_the_region = True
        seen.unhealthy_targets, seen.draining_targets = balancers.unhealthy_targets, balancers.draining_targets
        links.ensure_backbone(internet.addresses())
        volumes.prepare(self._paths.instances)
        state = StateFile(self._paths.api_state)
        state.load()
        api = Api(state, self._woken.set)
        reconciler = Reconciler(self._paths, self._paths.base_image.read_text().strip())
        seen.impaired_instances = reconciler.injected.impaired
        api.status = lambda: {
            "pid": os.getpid(),
            "running": reconciler.outcome.running,
            "faults": {**reconciler.outcome.faults, **balancers.faults, **internet.faults},
            "settled": not self._woken.is_set(),
            "balancers": balancers.status(),
            "injected": reconciler.injected.status(self._woken.set),
            **internet.status(),
        }
        api.context = self._context
        metadata = MetadataService(listen_in(addresses.FABRIC, str(addresses.METADATA), 80), self._by_address.get)
        metadata.start()
        api.serve(socket.create_server(("127.0.0.1", API_PORT), backlog=256), "api")
        api.serve(listen_in(addresses.FABRIC, str(addresses.SERVICES), 80), "services")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        log.info("ready", api=f"http://127.0.0.1:{API_PORT}", pid=os.getpid())
        threading.Thread(target=self._pulse, args=(api,), name="pulse", daemon=True).start()
        self._woken.set()
        while not self._stopping.is_set():
            woken = self._woken.wait(IDLE_SECONDS)
            if self._stopping.is_set():
                break
            if woken or reconciler.needs_look() or balancers.needs_look() or internet.needs_look():
                self._woken.clear()
                try:
                    with api.lock:
                        wanted = snapshot.take(seed.ACCOUNT, seed.REGION)
                        zones = hosted_zones(seed.ACCOUNT)
                    self._by_address.clear()
                    self._by_address.update({str(i.address): i for i in wanted.instances})
                    self._endpoints = {table.id: table.endpoint for table in wanted.fabric.route_tables}
                    made = reconciler.reconcile(wanted).images
                    with api.lock:
                        decided = images.settle(seed.ACCOUNT, seed.REGION, made)
                    if decided:
                        api.save()
                    balancers.apply(wanted.balancers)
                    internet.apply(wanted, zones, balancers.names())
                except Exception as error:  # a fault of ours in one pass mustn't take the API away
                    log.exception("pass failed")
                    internet.faults["pass"] = f"{type(error).__name__}: {error}"
        balancers.close()
        api.stop()
        metadata.stop()

    def _pulse(self, api: Any) -> None:
        """Alarms and scaling go on while a pass of the reconciler takes its time."""
        while not self._stopping.wait(PULSE_SECONDS):
            try:
                if api.beat():
                    self._woken.set()
            except Exception:  # the next one may do better, and the API goes on
                log.exception("pulse failed")

    def _context(self, environ: dict[str, Any]) -> dict[str, str]:
        """Condition keys of a request: what comes from an instance came through its subnet's gateway endpoint."""
        from postroad_region.api.server import operator_context

        source = str(environ.get("REMOTE_ADDR", ""))
        if source == "127.0.0.1":
            return operator_context(environ)
        context = {"aws:SecureTransport": "false", "aws:SourceIp": source}
        instance = self._by_address.get(source)
        endpoint = self._endpoints.get(instance.interfaces[0].subnet.route_table, "") if instance else ""
        return {**context, "aws:SourceVpce": endpoint} if endpoint else context

    def _stop(self) -> None:
        self._stopping.set()
        self._woken.set()

    def _own(self) -> None:
        self._paths.run.mkdir(parents=True, exist_ok=True)
        self._lock_file = (self._paths.run / "daemon.lock").open("a+")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RegionError("another region daemon runs on this machine", remedy="run: make status") from None


def status(timeout: float = 5.0) -> dict[str, Any] | None:
    """What the daemon says of itself; None where none answers."""
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{API_PORT}/_postroad/status", timeout=timeout) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found
    except OSError:
        return None

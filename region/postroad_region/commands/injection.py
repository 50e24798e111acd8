"""Changing what is injected, and waiting until the daemon has made it true."""

from __future__ import annotations

import time
from collections.abc import Callable

from postroad_region import daemon, supervisor
from postroad_region.errors import RegionError
from postroad_region.faults.file import FaultsFile
from postroad_region.faults.inventory import HostName, Inventory, find_host, find_zone
from postroad_region.faults.model import Faults
from postroad_region.paths import paths

PATIENCE_SECONDS = 20.0
# A pass that reports a fault this long after the change has seen the change.
FAULT_SECONDS = 4.0
POLL_SECONDS = 0.05


def faults_file() -> FaultsFile:
    """The running region's; waits for a daemon that is just starting again.

    Raises:
        RegionError: no region runs.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while daemon.status() is None:
        if supervisor.process(paths()).running() is None or time.monotonic() > deadline:
            raise RegionError("no region runs on this machine", remedy="run: make up")
        time.sleep(POLL_SECONDS)
    return FaultsFile(paths().faults)


def inject(change: Callable[[Faults], Faults]) -> Faults:
    """Change what is injected; returns when it is true.

    Raises:
        RegionError: no region runs, or the change can't be made true; it stays wanted then.
    """
    wanted = faults_file().update(change)
    begun = time.monotonic()
    fault = ""
    while (waited := time.monotonic() - begun) < PATIENCE_SECONDS:
        found = daemon.status() or {}
        if found.get("injected", {}).get("applied"):
            return wanted
        failed = [str(why) for subject, why in found.get("faults", {}).items() if subject.startswith("injected")]
        fault = failed[0] if failed else ""
        if fault and waited > FAULT_SECONDS:
            break
        time.sleep(POLL_SECONDS)
    raise RegionError(
        f"not in force yet: {fault or 'the daemon is busy'}", remedy="take it back by: postroad-region faults --clear"
    )


def inventory() -> Inventory:
    """What the running region has."""
    return Inventory(f"http://127.0.0.1:{daemon.API_PORT}")


def host_named(name: str) -> HostName:
    """The host that a person means.

    Raises:
        RegionError: none or several, or no region runs.
    """
    faults_file()
    return find_host(name, inventory().hosts())


def zone_named(name: str) -> str:
    """The zone that a person means.

    Raises:
        RegionError: there is none, or no region runs.
    """
    faults_file()
    return find_zone(name, inventory().zones())

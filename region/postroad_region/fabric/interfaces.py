"""The interfaces' links over many passes: what is unchanged and still there isn't touched again until a full look."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from postroad_region import addresses
from postroad_region.command import run_json
from postroad_region.fabric import links
from postroad_region.fabric.model import Interface

FULL_LOOK_SECONDS = 60.0


class Interfaces:
    """Has the links of a fabric's interfaces; the kernel's index tells whether a link is the one that was made."""

    def __init__(self) -> None:
        self._ensured: dict[str, tuple[Interface, int]] = {}
        self._looked = 0.0

    def ensure(self, interfaces: Iterable[Interface]) -> None:
        """Make those that are new, changed or gone; all of them once a minute.

        Raises:
            RegionError: a link can't be made.
        """
        if time.monotonic() - self._looked > FULL_LOOK_SECONDS:
            self._ensured.clear()
            self._looked = time.monotonic()
        listed = list(interfaces)
        present = _indices()
        stale = [i for i in listed if self._ensured.get(i.link) != (i, present.get(i.link))]
        for interface in stale:
            links.ensure_interface(interface)
        if stale:
            # Noted only when all were made: after a fault each of them is looked at again.
            made = _indices()
            self._ensured.update({i.link: (i, made[i.link]) for i in stale if i.link in made})
        wanted = {interface.link for interface in listed}
        self._ensured = {link: each for link, each in self._ensured.items() if link in wanted}

    def remove_others(self, interfaces: Iterable[Interface]) -> None:
        """Drop the links of interfaces that were detached or deleted, and of hosts that were stopped.

        Raises:
            RegionError: a link can't be removed.
        """
        links.remove_links_but(interface.link for interface in interfaces)


def _indices() -> dict[str, int]:
    found: list[dict[str, Any]] = run_json(["ip", "-n", addresses.FABRIC, "-j", "link", "show"])
    return {str(link["ifname"]): int(link["ifindex"]) for link in found}

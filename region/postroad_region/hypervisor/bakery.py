"""Has the images that the API wants: makes those that are pending, drops those that nobody needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from postroad_region.errors import RegionError
from postroad_region.hypervisor import hosts, images
from postroad_region.hypervisor.hosts import Host
from postroad_region.hypervisor.model import Image, Instance

log = structlog.get_logger("images")


class Bakery:
    """What was made is known by podman alone, so another daemon goes on where this one was killed.

    Args:
        release: called with a host's first process before the host is stopped.
    """

    def __init__(self, release: Callable[[int], None]) -> None:
        self._release = release
        self._tidied: frozenset[str] | None = None

    def bake(self, wanted: Sequence[Image], present: Mapping[str, Host], done: dict[str, str]) -> None:
        """Make what is pending; `done` gets the state of each, by AMI.

        Call it before hosts are removed. An image whose host is gone has failed for good.

        Raises:
            RegionError: one can't be made now; it is tried again at the next call.
        """
        refused: list[str] = []
        for image in wanted:
            if not image.pending:
                continue
            if images.exists(image.id):
                done[image.id] = "available"
            elif (host := present.get(image.instance)) is None:
                done[image.id] = "failed"
            else:
                try:
                    self._bake(image, host)
                    done[image.id] = "available"
                except RegionError as error:
                    refused.append(str(error))
        if refused:
            raise RegionError("; ".join(refused))

    def _bake(self, image: Image, host: Host) -> None:
        began = time.monotonic()
        if image.reboot and host.running:
            # As EC2 does unless told otherwise; the reconciler boots it again.
            self._release(host.pid)
            hosts.stop(host.instance_id)
        images.bake(image.id, host.instance_id)
        log.info("baked", image=image.id, instance=image.instance, seconds=round(time.monotonic() - began, 1))

    def tidy(self, wanted: Sequence[Image], instances: Sequence[Instance]) -> None:
        """Drop images of AMIs that are deregistered, once no instance needs them any more.

        Raises:
            RegionError: podman doesn't answer.
        """
        kept = frozenset({image.id for image in wanted} | {instance.image for instance in instances})
        if kept == self._tidied:
            return
        for image in images.stale(images.made(), kept):
            images.remove(image)
            log.info("image removed", image=image)
        self._tidied = kept

"""Images made from hosts: what CreateImage leaves on the machine, by the id of its AMI.

An image is the host's root file system; its volumes aren't in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from postroad_region.command import run, succeeds
from postroad_region.errors import RegionError
from postroad_region.hypervisor.hosts import PODMAN

NAME = "localhost/postroad-ami"
# Says which AMI an image belongs to; one that a killed daemon's podman made twice has lost its name, not its label.
LABEL = "postroad.region.ami"
BAKE_SECONDS = 600.0


def reference(ami: str) -> str:
    """The image's name in podman's store."""
    return f"{NAME}:{ami}"


def image_for(ami: str, *, base_ami: str, base_image: str) -> str:
    """The container image behind an AMI id.

    Raises:
        RegionError: no image belongs to it.
    """
    if ami == base_ami:
        return base_image
    if not exists(ami):
        raise RegionError(f"{ami} has no image on this machine", remedy=f"launch {base_ami}, or bake one with packer")
    return reference(ami)


def exists(ami: str) -> bool:
    """Whether the image is made."""
    return succeeds(["podman", "image", "exists", reference(ami)])


def bake(ami: str, instance_id: str) -> None:
    """Make the image of a host as it is now; one that runs stands still meanwhile.

    Raises:
        RegionError: podman can't, or there is no room.
    """
    label = f"LABEL {LABEL}={ami}"
    command = [*PODMAN, "commit", "--quiet", "--pause", "--change", label, instance_id, reference(ami)]
    run(command, timeout=BAKE_SECONDS)


_LOOKS = 5


def made() -> dict[str, tuple[str, ...]]:
    """The AMI and the names of every image made here, by podman's id."""
    listed: list[dict[str, Any]] = json.loads(_listed().strip() or "[]")
    return {str(each["Id"]): (each["Labels"][LABEL], *(each.get("Names") or ())) for each in listed}


def _listed() -> str:
    """What podman prints; it fails as a whole if an image is removed while it looks at them one by one."""
    command = ["podman", "images", "--filter", f"label={LABEL}", "--format", "json"]
    for _ in range(_LOOKS):
        try:
            return run(command)
        except RegionError as error:
            if "image not known" not in str(error):
                raise
    return run(command)


def stale(found: Mapping[str, tuple[str, ...]], kept: Iterable[str]) -> list[str]:
    """Podman's ids of those that belong to no AMI in `kept`, and of those that another has taken the name of."""
    keep = set(kept)
    return [image for image, (ami, *names) in found.items() if ami not in keep or reference(ami) not in names]


def remove(image: str) -> None:
    """Drop an image; one that hosts stand on stays."""
    succeeds(["podman", "rmi", image])

"""The hosts of one tier: what they boot, how big they are, how many a zone has."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from postroad_infra import instance_types
from postroad_infra.settings.base import Settings


def _known_type(name: str) -> str:
    if instance_types.find(name) is None:
        raise ValueError("AWS has no such instance type")
    return name


AmiId = Annotated[str, Field(pattern=r"^ami-[0-9a-f]{8}([0-9a-f]{9})?$")]
InstanceType = Annotated[str, AfterValidator(_known_type)]


class RootVolume(Settings):
    """The volume that a host boots from: encrypted gp3, gone with the host."""

    size_gib: int = Field(default=16, ge=4, le=1024, description="GiB, 4 to 1024", examples=["16"])
    device: str = Field(
        default="/dev/xvda",
        pattern=r"^/dev/(xvd|sd)a1?$",
        description="the image's root device name (Debian's images: /dev/xvda)",
        examples=["/dev/xvda"],
    )


class Fleet(Settings):
    """The hosts of one tier. The image is pinned: a new image is a change that a preview shows."""

    ami: AmiId = Field(description="the image, of the zones' region", examples=["ami-0123456789abcdef0"])
    instance_type: InstanceType = Field(description="the instance type", examples=["c7g.large"])
    count_per_zone: int = Field(
        default=1, ge=1, le=50, description="hosts in each zone; a zone less must still carry the load", examples=["2"]
    )
    root_volume: RootVolume = Field(default=RootVolume(), description="size_gib, device")

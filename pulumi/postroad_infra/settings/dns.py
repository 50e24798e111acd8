"""Settings of the project `dns`."""

from __future__ import annotations

from pydantic import Field

from postroad_infra.settings.base import DomainName
from postroad_infra.settings.fleet import Fleet
from postroad_infra.settings.project import ProjectSettings


class DnsSettings(ProjectSettings):
    """The resolver tier and the private zone."""

    private_zone: DomainName = Field(
        description="the zone that only the VPCs see; not one that the public DNS has", examples=["postroad.internal"]
    )
    resolvers: Fleet = Field(
        description="ami, instance_type, count_per_zone, root_volume",
        examples=["{ami: ami-0123456789abcdef0, instance_type: c7gn.medium}"],
    )

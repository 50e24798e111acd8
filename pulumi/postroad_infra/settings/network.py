"""Settings of the project `network`."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal, Self

from pydantic import Field, model_validator

from postroad_infra.address_plan import AddressPlan, SubnetKind, overlaps
from postroad_infra.settings.base import Settings, VpcRange
from postroad_infra.settings.project import ProjectSettings
from postroad_infra.settings.public_key import SshPublicKey

# CloudWatch Logs takes these and no others (PutRetentionPolicy).
RetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]


class VpcSettings(Settings):
    """One VPC."""

    cidr: VpcRange = Field(
        description="its addresses, a private range of /16 to /20 that no peer uses", examples=["10.20.0.0/16"]
    )

    def plan(self) -> AddressPlan:
        """Where its subnets lie."""
        return AddressPlan(IPv4Network(self.cidr))


class FlowLogs(Settings):
    """Records of accepted and refused flows."""

    retention_days: RetentionDays = Field(description="days that CloudWatch keeps them", examples=["30"])
    interval_s: Literal[60, 600] = Field(
        default=600, description="seconds over which a record sums up: 60 or 600", examples=["600"]
    )


class Artifacts(Settings):
    """The bucket that hosts install from."""

    bucket: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        description="its name, unique in all of AWS; no dots (they break TLS host names)",
        examples=["postroad-uat-artifacts"],
    )


class NetworkSettings(ProjectSettings):
    """The VPCs `mail` and `dns`, what connects them, and what hosts need to start."""

    mail_vpc: VpcSettings = Field(
        description="VPC of the MTAs, the proxies and the management subnet", examples=["{cidr: 10.20.0.0/16}"]
    )
    dns_vpc: VpcSettings = Field(description="VPC of the resolvers", examples=["{cidr: 10.21.0.0/16}"])
    flow_logs: FlowLogs = Field(description="retention_days, interval_s", examples=["{retention_days: 30}"])
    key_pair: SshPublicKey = Field(
        description="public_key or public_key_file", examples=["{public_key_file: ~/.ssh/postroad-uat.pub}"]
    )
    artifacts: Artifacts = Field(description="the artifacts bucket", examples=["{bucket: postroad-uat-artifacts}"])

    @model_validator(mode="after")
    def _ranges_are_apart(self) -> Self:
        for one, other in overlaps([self.mail_vpc.cidr, self.dns_vpc.cidr]):
            raise ValueError(
                f"mail_vpc.cidr {one} and dns_vpc.cidr {other} overlap: peered VPCs need ranges of their own"
            )
        return self


MAIL_SUBNETS = (SubnetKind.PRIVATE, SubnetKind.PUBLIC, SubnetKind.MANAGEMENT)
"""MTAs are private, proxies public; operators come from the management subnet."""

DNS_SUBNETS = (SubnetKind.PUBLIC,)
"""Resolvers recurse from addresses of their own: a NAT gateway would track every query."""

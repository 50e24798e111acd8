"""What the settings of every project have."""

from __future__ import annotations

from typing import Self

import pulumi
from pydantic import Field, model_validator

from postroad_infra.settings.base import AccountId, RegionName, Settings, StackName, ZoneNames
from postroad_infra.zone import region_of


class Protection(Settings):
    """How what must survive (addresses, volumes, zones, artifacts) is kept."""

    protect: bool = Field(
        description="Refuse to delete what must survive; needs aws:allowedAccountIds", examples=["true"]
    )
    retain_on_delete: bool = Field(
        default=False, description="Leave it in the account when it leaves the stack", examples=["false"]
    )

    def options(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        """Options for a resource that must survive."""
        return pulumi.ResourceOptions(parent=parent, protect=self.protect, retain_on_delete=self.retain_on_delete)


class ProjectSettings(Settings):
    """Of every project: the environment, where it lies, and how it is protected.

    `stack` comes from the engine, `region` and `accounts` from the aws provider's own settings (`aws:region`,
    `aws:allowedAccountIds`), all else from the project's `settings`.
    """

    stack: StackName = Field(description="lower-case letters, digits and hyphens, 2 to 20 characters", examples=["uat"])
    region: RegionName = Field(description="the AWS region", examples=["us-east-1"])
    accounts: list[AccountId] = Field(
        default=[],
        description="the accounts that may be changed, 12 digits each, in quotes",
        examples=['["123456789012"]'],
    )
    zones: ZoneNames = Field(
        description="the availability zones in use, 1 to 7, all of aws:region; the first holds what isn't zonal",
        examples=["[us-east-1a, us-east-1b, us-east-1c]"],
    )
    protection: Protection = Field(description="protect, retain_on_delete", examples=["{protect: true}"])

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        strangers = [zone for zone in self.zones if region_of(zone) != self.region]
        if strangers:
            raise ValueError(f"zones: {', '.join(strangers)} isn't of aws:region {self.region}")
        if self.protection.protect and not self.accounts:
            raise ValueError(
                "aws:allowedAccountIds is missing: what is protected names the accounts that it may change"
            )
        return self

"""Settings of the project `mail`."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal, Self

from pydantic import Field, model_validator

from postroad_infra import instance_types
from postroad_infra.sending_plan import SendingPlan
from postroad_infra.settings.base import DomainName, Settings
from postroad_infra.settings.fleet import Fleet
from postroad_infra.settings.front_door import FrontDoorSettings
from postroad_infra.settings.project import ProjectSettings
from postroad_infra.settings.public_key import DkimPublicKey

# gp3: 500 IOPS per GiB at most, and 0.25 MiB/s per IOPS (EBS user guide, "General Purpose SSD volumes").
GP3_IOPS_PER_GIB = 500
GP3_IOPS_PER_MIBPS = 4
# "EC2-VPC Elastic IPs" before any increase (Amazon VPC user guide, "Amazon VPC quotas").
DEFAULT_QUOTA = 5


class SpoolVolume(Settings):
    """The volume that holds accepted mail; it outlives its host."""

    size_gib: int = Field(ge=1, le=16384, description="GiB, 1 to 16384", examples=["100"])
    iops: int = Field(
        default=3000, ge=3000, le=16000, description="operations/s, 3000 to 16000, 500 a GiB at most", examples=["3000"]
    )
    throughput_mibps: int = Field(
        default=125, ge=125, le=1000, description="MiB/s, 125 to 1000, a quarter of iops at most", examples=["125"]
    )

    @model_validator(mode="after")
    def _as_gp3_allows(self) -> Self:
        # The 3000 that every gp3 volume has don't count against the ratio.
        most_iops = max(3000, self.size_gib * GP3_IOPS_PER_GIB)
        if self.iops > most_iops:
            raise ValueError(f"iops {self.iops}: a gp3 volume of {self.size_gib} GiB has {most_iops} at most")
        least_iops = self.throughput_mibps * GP3_IOPS_PER_MIBPS
        if self.iops < least_iops:
            raise ValueError(f"throughput_mibps {self.throughput_mibps} needs iops {least_iops} or more")
        return self


class MtaSettings(Fleet):
    """The MTAs and their spools; each MTA of a zone has a spool of its own."""

    count_per_zone: int = Field(
        default=1, ge=1, le=10, description="MTAs, each with a spool, in each zone", examples=["1"]
    )
    spool: SpoolVolume = Field(description="size_gib, iops, throughput_mibps", examples=["{size_gib: 100}"])
    drain_heartbeat_s: int = Field(
        default=600,
        ge=30,
        le=7200,
        description="seconds that an MTA on its way out waits for a sign of whoever drains it, 30 to 7200",
        examples=["600"],
    )
    submission_clients: list[IPv4Network] = Field(
        min_length=1,
        max_length=20,
        description="ranges that may submit mail on 587; whoever they hold may send",
        examples=["[10.20.255.0/24]"],
    )


class ProxySettings(Fleet):
    """The outbound proxies and the Elastic IPs on their interfaces, the addresses that providers see."""

    count_per_zone: int = Field(
        default=1, ge=1, le=20, description="proxies, each with addresses, in each zone", examples=["1"]
    )
    addresses: int = Field(
        default=1, ge=1, le=50, description="Elastic IPs of each proxy, as many as its type allows", examples=["4"]
    )
    moved: dict[str, str] = Field(
        default={},
        description="addresses that another proxy has than the one they were made for: the proxy by address",
        examples=["{mail-a: proxy-b}"],
    )
    elastic_ip_quota: int = Field(
        default=DEFAULT_QUOTA,
        ge=DEFAULT_QUOTA,
        le=5000,
        description="Elastic IPs that the account may have in the region; above 5 an increase is asked for",
        examples=["20"],
    )
    pool: str = Field(
        default="shared",
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="the pool that the addresses belong to",
        examples=["shared"],
    )


class Dmarc(Settings):
    """What providers shall do with mail that fails (RFC 7489)."""

    policy: Literal["none", "quarantine", "reject"] = Field(
        description="none, quarantine or reject", examples=["reject"]
    )
    reports_to: str = Field(
        pattern=r"^[^@\s,!;]+@[^@\s,!;]+\.[^@\s,!;]+$",
        description="address for aggregate reports",
        examples=["dmarc@example.com"],
    )


class SendingDomain(Settings):
    """The domain that mail comes from, its public zone and records."""

    name: DomainName = Field(description="the domain, lower case, without a final dot", examples=["mail.example.com"])
    dkim: DkimPublicKey = Field(
        description="selector, and public_key or public_key_file",
        examples=["{selector: p1, public_key_file: dkim/p1.pub}"],
    )
    dmarc: Dmarc = Field(description="policy, reports_to", examples=["{policy: reject, reports_to: dmarc@example.com}"])
    ttl_s: int = Field(
        default=300,
        ge=30,
        le=86400,
        description="seconds that resolvers keep the records, 30 to 86400",
        examples=["300"],
    )


class MailSettings(ProjectSettings):
    """MTAs, proxies, spools, addresses and the sending domain."""

    mta: MtaSettings = Field(description="ami, instance_type, count_per_zone, root_volume, spool, submission_clients")
    proxy: ProxySettings = Field(description="ami, instance_type, count_per_zone, root_volume, pool")
    domain: SendingDomain = Field(description="name, dkim, dmarc, ttl_s")
    front_door: FrontDoorSettings | None = Field(
        default=None,
        description="name, host, internal, submission_ports, mta_tls_ports, returns_port, cross_zone, "
        "deregistration_delay_s, idle_timeout_s, health_check; left out: clients go to the MTAs themselves",
        examples=["{name: postroad-uat-smtp}"],
    )

    def sending_plan(self) -> SendingPlan:
        """Which proxy has which sending address."""
        return SendingPlan(self.zones, self.proxy.count_per_zone, self.proxy.addresses, self.proxy.moved)

    @model_validator(mode="after")
    def _addresses_have_places(self) -> Self:
        plan = self.sending_plan()
        for problem in plan.problems():
            raise ValueError(f"proxy.moved: {problem}")
        needed = len(plan.planned())
        if needed > self.proxy.elastic_ip_quota:
            raise ValueError(
                f"{needed} sending addresses ({len(self.zones)} zones x {self.proxy.count_per_zone} proxies x "
                f"{self.proxy.addresses}) are more than proxy.elastic_ip_quota {self.proxy.elastic_ip_quota}: raise it "
                "as far as AWS grants"
            )
        facts = instance_types.find(self.proxy.instance_type)
        most = facts.addresses_per_interface if facts else 0
        for _, _, slot in plan.slots():
            if plan.places(slot) > most:
                raise ValueError(
                    f"{slot} has {plan.places(slot)} addresses, an interface of {self.proxy.instance_type} holds "
                    f"{most}: take a larger type, more proxies, or fewer addresses"
                )
        return self

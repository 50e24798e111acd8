"""A zone's mail cell: MTAs with their spools, and proxies with the slots that sending addresses are on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.host_group import HostGroup, HostGroupArgs
from postroad_infra.mail_tiers import MTA, PROXY, MailTiers
from postroad_infra.proxy_slot import ProxySlot, ProxySlotArgs
from postroad_infra.sending_plan import SendingPlan
from postroad_infra.settings.mail import MtaSettings, ProxySettings
from postroad_infra.settings.project import Protection
from postroad_infra.stack_outputs import NetworkOutputs
from postroad_infra.tags import Tags
from postroad_infra.zone import letter, ordinal


@dataclass(frozen=True, kw_only=True, slots=True)
class MailCellArgs:
    """The zone and its network, the hosts, the plan of the stack's addresses, and what all zones share."""

    zone: str
    network: NetworkOutputs
    tiers: MailTiers
    mta: MtaSettings
    proxy: ProxySettings
    plan: SendingPlan
    protection: Protection
    tags: Tags
    mta_target_group_arns: Sequence[pulumi.Input[str]] = ()


class MailCell(pulumi.ComponentResource):
    """MTAs in the private subnet, a spool volume for each; proxies in the public one, a sending interface for each.

    Volumes and interfaces outlive hosts, and which host has which is Ansible's to arrange: it finds them by their tags.
    """

    def __init__(self, name: str, args: MailCellArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:MailCell", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        survives = args.protection.options(self)
        at = letter(args.zone)
        self.groups: dict[str, pulumi.Output[str]] = {
            tier: HostGroup(
                f"{tier}-{at}",
                HostGroupArgs(
                    tier=tier,
                    zone=args.zone,
                    subnet_id=subnet_id,
                    security_group_id=args.tiers.security_group_ids[tier],
                    profile_arn=args.tiers.profile_arns[tier],
                    key_name=args.network.key_name,
                    fleet=fleet,
                    tags=args.tags,
                    target_group_arns=args.mta_target_group_arns if tier == MTA else (),
                ),
                opts=mine,
            ).group_name
            for tier, subnet_id, fleet in (
                (MTA, args.network.zones[args.zone].mail_private_subnet_id, args.mta),
                (PROXY, args.network.zones[args.zone].mail_public_subnet_id, args.proxy),
            )
        }
        self.spool_volume_ids: dict[str, pulumi.Output[str]] = {
            spool: aws.ebs.Volume(
                spool,
                availability_zone=args.zone,
                type="gp3",
                size=args.mta.spool.size_gib,
                iops=args.mta.spool.iops,
                throughput=args.mta.spool.throughput_mibps,
                encrypted=True,
                tags=args.tags.of(tier=MTA, name=spool, zone=args.zone, Purpose="spool"),
                opts=survives,
            ).id
            for spool in (ordinal(f"spool-{at}", index) for index in range(args.mta.count_per_zone))
        }
        self.slots: dict[str, ProxySlot] = {
            slot: ProxySlot(
                slot,
                ProxySlotArgs(
                    zone=zone,
                    number=number,
                    places=args.plan.places(slot),
                    subnet_id=args.network.zones[zone].mail_public_subnet_id,
                    kept=args.network.zones[zone].mail_public_kept_cidr,
                    security_group_id=args.tiers.security_group_ids[PROXY],
                    tags=args.tags,
                ),
                opts=mine,
            )
            for zone, number, slot in args.plan.slots()
            if zone == args.zone
        }
        self.register_outputs({"spool_volume_ids": self.spool_volume_ids})

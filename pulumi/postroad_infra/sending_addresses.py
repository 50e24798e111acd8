"""The addresses that mail leaves from: Elastic IPs, each associated with a place on a proxy's slot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.mail_tiers import PROXY
from postroad_infra.proxy_slot import ProxySlot
from postroad_infra.sending_plan import SendingPlan
from postroad_infra.settings.mail import DEFAULT_QUOTA
from postroad_infra.settings.project import Protection
from postroad_infra.tags import Tags

# "EC2-VPC Elastic IPs" (Amazon VPC user guide, "Amazon VPC quotas").
QUOTA_SERVICE, QUOTA_CODE = "ec2", "L-0263D0A3"


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingAddressesArgs:
    """The plan, the slots by name, and what the account may have of Elastic IPs."""

    plan: SendingPlan
    slots: Mapping[str, ProxySlot]
    pool: str
    domain: str
    quota: int
    protection: Protection
    tags: Tags


class SendingAddresses(pulumi.ComponentResource):
    """An Elastic IP for each planned address.

    The address is a resource of its own, apart from where it is: another slot is another association, and the address
    stays. A new association is made before the old one goes, and AWS moves the address in that one call.
    """

    def __init__(self, name: str, args: SendingAddressesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:SendingAddresses", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        survives = args.protection.options(self)
        if args.quota > DEFAULT_QUOTA:
            quota = aws.servicequotas.ServiceQuota(
                "elastic-ips", service_code=QUOTA_SERVICE, quota_code=QUOTA_CODE, value=args.quota, opts=mine
            )
            survives = pulumi.ResourceOptions.merge(survives, pulumi.ResourceOptions(depends_on=[quota]))
        self.elastic: dict[str, aws.ec2.Eip] = {}
        for address in args.plan.planned():
            eip = aws.ec2.Eip(
                address.host,
                domain="vpc",
                tags=args.tags.of(
                    tier=PROXY,
                    name=address.host,
                    zone=address.zone,
                    Pool=args.pool,
                    Ehlo=f"{address.host}.{args.domain}",
                ),
                opts=survives,
            )
            slot = args.slots[address.slot]
            aws.ec2.EipAssociation(
                address.host,
                allocation_id=eip.allocation_id,
                network_interface_id=slot.interface_id,
                private_ip_address=slot.private_addresses[address.place],
                allow_reassociation=True,
                opts=mine,
            )
            self.elastic[address.host] = eip
        self.register_outputs({"addresses": {host: eip.public_ip for host, eip in self.elastic.items()}})

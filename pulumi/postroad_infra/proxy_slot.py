"""A proxy's slot: the network interface that a host takes to be that proxy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from postroad_infra import sending_plan
from postroad_infra.mail_tiers import PROXY
from postroad_infra.tags import Tags

PURPOSE = "sending"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxySlotArgs:
    """Where the slot is.

    Args:
        number: which of the zone's, from 0.
        places: how many private addresses it has.
        kept: the range of the subnet that is kept for slots.
    """

    zone: str
    number: int
    places: int
    subnet_id: pulumi.Input[str]
    kept: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    tags: Tags


class ProxySlot(pulumi.ComponentResource):
    """A network interface with a private address for each sending address, tagged for the role that attaches it.

    It outlives its host, and with it the Elastic IPs that are associated with its addresses: a host that is replaced
    changes nothing that providers see.
    """

    def __init__(self, name: str, args: ProxySlotArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:ProxySlot", name, None, opts)
        addresses = pulumi.Output.from_input(args.kept).apply(lambda kept: _addresses(kept, args))
        interface = aws.ec2.NetworkInterface(
            name,
            subnet_id=args.subnet_id,
            description=f"Sending addresses of {name}",
            private_ip=addresses[0],
            private_ips=addresses,
            security_groups=[args.security_group_id],
            tags=args.tags.of(tier=PROXY, name=name, zone=args.zone, Purpose=PURPOSE),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.interface_id: pulumi.Output[str] = interface.id
        self.private_addresses: pulumi.Output[Sequence[str]] = addresses
        self.register_outputs({"interface_id": self.interface_id})


def _addresses(kept: str, args: ProxySlotArgs) -> Sequence[str]:
    try:
        found = sending_plan.private_addresses(IPv4Network(kept), args.number, args.places)
    except ValueError as error:
        raise pulumi.RunError(f"proxy.count_per_zone: {error}") from None
    return [str(address) for address in found]

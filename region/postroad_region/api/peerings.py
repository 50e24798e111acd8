"""Peering connections found by filters, which moto doesn't look at: deleted ones are told of beside the living.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcPeeringConnections.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.vpc_peering_connections import VPCPeeringConnection
from moto.ec2.responses.vpc_peering_connections import VPCPeeringConnections
from moto.ec2.utils import generic_filter


def _describe(self: VPCPeeringConnections) -> ActionResult:
    found = self.ec2_backend.describe_vpc_peering_connections(self._get_param("VpcPeeringConnectionIds", []))
    filters = self._filters_from_querystring()
    return ActionResult({"VpcPeeringConnections": generic_filter(filters, found) if filters else found})


def _filter_value(peering: Any, name: str, *args: Any) -> Any:
    match name:
        case "vpc-peering-connection-id":
            return peering.id
        case "status-code":
            return peering._status.code
        case "requester-vpc-info.vpc-id":
            return peering.vpc.id
        case "accepter-vpc-info.vpc-id":
            return peering.peer_vpc.id
    return _original_filter_value(peering, name, "DescribeVpcPeeringConnections")


_original_filter_value = VPCPeeringConnection.get_filter_value
VPCPeeringConnection.get_filter_value = _filter_value
VPCPeeringConnections.describe_vpc_peering_connections = _describe

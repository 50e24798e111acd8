"""Route tables where moto isn't EC2: a subnet has one association.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.route_tables import RouteBackend


def _associate(backend: Any, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None) -> str:
    target = subnet_id or gateway_id
    for table in backend.route_tables.values():
        for association, associated in table._associations.items():
            if associated == target and table.id == route_table_id:
                return str(association)
            if associated == target:
                raise EC2ClientError(
                    "Resource.AlreadyAssociated",
                    f"the specified association for route table {route_table_id} conflicts with an existing one",
                )
    made: str = _original_associate(backend, route_table_id, gateway_id, subnet_id)
    return made


_original_associate = RouteBackend.associate_route_table
RouteBackend.associate_route_table = _associate

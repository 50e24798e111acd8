"""Network ACLs where moto isn't EC2: entries that don't exist, rules that don't parse, rules for ICMP, and their end.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.network_acls import NetworkAclBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.network_acls import NetworkACLs

_HIGHEST_RULE = 32766


def _delete_entry(backend: Any, network_acl_id: str, rule_number: int, egress: bool) -> Any:
    acl = backend.get_network_acl(network_acl_id)
    egress = str(egress).lower() == "true"
    for entry in acl.network_acl_entries:
        if str(entry.egress).lower() == str(egress).lower() and int(entry.rule_number) == int(rule_number):
            acl.network_acl_entries.remove(entry)
            return entry
    raise EC2ClientError(
        "InvalidNetworkAclEntry.NotFound",
        f"The {'egress' if egress else 'ingress'} entry identified by {rule_number} in network ACL {network_acl_id} "
        "does not exist",
    )


def _create_entry(backend: Any, *args: Any, **kwargs: Any) -> Any:
    number, cidr = kwargs.get("rule_number"), kwargs.get("cidr_block")
    if number is not None and int(number) > _HIGHEST_RULE and not _is_default(kwargs):
        raise EC2ClientError(
            "InvalidParameterValue", f"Invalid value '{number}' for RuleNumber: at most {_HIGHEST_RULE}"
        )
    if cidr:
        try:
            IPv4Network(cidr, strict=False)
        except ValueError:
            raise EC2ClientError("InvalidParameterValue", f"CIDR block {cidr} is malformed") from None
    return _original_create(backend, *args, **kwargs)


def _is_default(entry: dict[str, Any]) -> bool:
    """The last entry of every ACL, which AWS makes itself."""
    return int(entry["rule_number"]) == _HIGHEST_RULE + 1 and entry["rule_action"] == "deny"


def _get_param(response: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """ICMP's type and code under the name that the call has."""
    return _original_get_param(response, name.replace("Icmp.", "IcmpTypeCode."), *args, **kwargs)


def _delete_vpc(backend: Any, vpc_id: str) -> Any:
    """A VPC's default ACL goes with it."""
    deleted = _original_delete_vpc(backend, vpc_id)
    for acl in [acl for acl in backend.network_acls.values() if acl.vpc_id == vpc_id]:
        del backend.network_acls[acl.id]
    return deleted


_original_delete_vpc = VPCBackend.delete_vpc
VPCBackend.delete_vpc = _delete_vpc
_original_get_param = NetworkACLs._get_param
NetworkACLs._get_param = _get_param
_original_create = NetworkAclBackend.create_network_acl_entry
NetworkAclBackend.delete_network_acl_entry = _delete_entry
NetworkAclBackend.create_network_acl_entry = _create_entry

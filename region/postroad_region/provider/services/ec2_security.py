"""Security groups and their rules, network ACLs and theirs."""

import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, delete_when_free, unless_gone
from ..schema import State, boolean, from_aws, integer, string, strings
from .ec2 import ACLS, GROUPS, RULES, Document, create_tagged, describe, tags_of, write_tags

_GROUP = (
    string("name", aws="GroupName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("description", default="Managed by Pulumi", replaces=True),
    string("vpcId", computed=True, replaces=True),
    boolean("revokeRulesOnDelete", kept=True, default=False),
)


def _create_group(task: Task) -> str:
    parameters = task.parameters(_GROUP, "name", "description", "vpcId")
    return create_tagged(task, "create_security_group", "security-group", ("GroupId",), **parameters)


def _settle_group(task: Task, identifier: str) -> None:
    """Remove the egress rule that AWS gives every new group: rules are what the program says."""
    if task.fresh:
        group = describe(task.cloud, GROUPS, identifier) or {}
        if group.get("IpPermissionsEgress"):
            permissions = group["IpPermissionsEgress"]
            try:
                task.cloud.call("ec2", "revoke_security_group_egress", GroupId=identifier, IpPermissions=permissions)
            except AwsError as error:
                if not error.gone:
                    raise


def _read_group(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group = describe(cloud, GROUPS, identifier)
    if group is None:
        return None
    state = from_aws(_GROUP, group)
    return {
        **state,
        "arn": group.get("SecurityGroupArn") or cloud.arn("ec2", f"security-group/{identifier}"),
        "ownerId": group.get("OwnerId"),
        "tags": tags_of(group),
    }


def _delete_group(task: Task, identifier: str) -> None:
    if task.state.get("revokeRulesOnDelete"):
        group = describe(task.cloud, GROUPS, identifier) or {}
        for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
            if group.get(key):
                operation = f"revoke_security_group_{direction}"
                unless_gone(partial(task.cloud.call, "ec2", operation, GroupId=identifier, IpPermissions=group[key]))
    delete_when_free(
        task,
        identifier,
        lambda: task.cloud.call("ec2", "delete_security_group", GroupId=identifier),
        busy=("DependencyViolation", "InvalidGroup.InUse"),
    )


_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}


def _same_protocol(left: str, right: str) -> bool:
    return _PROTOCOLS.get(str(left), str(left)) == _PROTOCOLS.get(str(right), str(right))


def _same_cidr(left: str, right: str) -> bool:
    return left.lower() == right.lower()


_RULE = (
    string("securityGroupId", aws="GroupId", required=True, replaces=True),
    string("ipProtocol", required=True, same=_same_protocol),
    integer("fromPort"),
    integer("toPort"),
    string("cidrIpv4", same=_same_cidr),
    string("cidrIpv6", same=_same_cidr),
    string("prefixListId"),
    string("referencedSecurityGroupId", aws=None),
    string("description"),
)
_SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _permission(inputs: Mapping[str, Any]) -> Document:
    """The rule as the calls that authorise take it."""
    about = {"Description": inputs["description"]} if inputs.get("description") else {}
    permission: Document = {"IpProtocol": inputs["ipProtocol"]}
    if not _same_protocol(inputs["ipProtocol"], "-1"):
        permission["FromPort"] = int(inputs.get("fromPort", -1))
        permission["ToPort"] = int(inputs.get("toPort", -1))
    if inputs.get("cidrIpv4"):
        permission["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"], **about}]
    if inputs.get("cidrIpv6"):
        permission["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"], **about}]
    if inputs.get("prefixListId"):
        permission["PrefixListIds"] = [{"PrefixListId": inputs["prefixListId"], **about}]
    if inputs.get("referencedSecurityGroupId"):
        permission["UserIdGroupPairs"] = [{**_peer(inputs["referencedSecurityGroupId"]), **about}]
    return permission


def _peer(reference: str) -> Document:
    """A group, or `<account>/<group>` of another account."""
    account, _, group = reference.rpartition("/")
    return {"GroupId": group, "UserId": account} if account else {"GroupId": group}


def _create_rule(direction: str, task: Task) -> str:
    permissions = [_permission(task.inputs)]
    return create_tagged(
        task,
        f"authorize_security_group_{direction}",
        "security-group-rule",
        ("SecurityGroupRules", "SecurityGroupRuleId"),
        GroupId=task.get("securityGroupId"),
        IpPermissions=permissions,
    )


def _settle_rule(task: Task, identifier: str) -> None:
    if task.fresh:
        return
    rule: Document = {"IpProtocol": task.get("ipProtocol")}
    ranged = not _same_protocol(task.inputs["ipProtocol"], "-1")
    rule["FromPort"] = int(task.inputs.get("fromPort", -1)) if ranged else -1
    rule["ToPort"] = int(task.inputs.get("toPort", -1)) if ranged else -1
    for name, aws in (("cidrIpv4", "CidrIpv4"), ("cidrIpv6", "CidrIpv6"), ("prefixListId", "PrefixListId")):
        if task.get(name):
            rule[aws] = task.get(name)
    if task.get("referencedSecurityGroupId"):
        rule["ReferencedGroupId"] = _peer(task.inputs["referencedSecurityGroupId"])["GroupId"]
    rule["Description"] = task.get("description") or ""
    task.cloud.call(
        "ec2",
        "modify_security_group_rules",
        GroupId=task.get("securityGroupId"),
        SecurityGroupRules=[{"SecurityGroupRuleId": identifier, "SecurityGroupRule": rule}],
    )


def _rule_state(rule: Document) -> State:
    state = from_aws(_RULE, rule)
    if _same_protocol(state.get("ipProtocol", ""), "-1"):
        state.pop("fromPort", None)
        state.pop("toPort", None)
    peer = rule.get("ReferencedGroupInfo") or {}
    if peer.get("GroupId"):
        state["referencedSecurityGroupId"] = peer["GroupId"]
    return state


def _read_rule(direction: str, cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    rule = describe(cloud, RULES, identifier)
    if rule is None:
        return None
    if rule["IsEgress"] is not (direction == "egress"):
        raise ProviderError(f"{identifier} isn't an {direction} rule")
    state = _rule_state(rule)
    reference = known.get("referencedSecurityGroupId")
    if reference and reference.endswith(f"/{state.get('referencedSecurityGroupId')}"):
        state["referencedSecurityGroupId"] = reference
    # moto forgets the description of a rule whose other side is a group or a prefix list; AWS returns it.
    if (
        not state.get("description")
        and not (state.get("cidrIpv4") or state.get("cidrIpv6"))
        and known.get("description")
    ):
        state["description"] = known["description"]
    return {
        **state,
        "arn": rule.get("SecurityGroupRuleArn") or cloud.arn("ec2", f"security-group-rule/{identifier}"),
        "securityGroupRuleId": identifier,
        "tags": tags_of(rule),
    }


def _delete_rule(direction: str, task: Task, identifier: str) -> None:
    operation = f"revoke_security_group_{direction}"
    group = task.state["securityGroupId"]
    unless_gone(lambda: task.cloud.call("ec2", operation, GroupId=group, SecurityGroupRuleIds=[identifier]))


_ACL = (
    string("vpcId", required=True, replaces=True),
    strings("subnetIds", aws=None, computed=True),
)


def _create_acl(task: Task) -> str:
    path = ("NetworkAcl", "NetworkAclId")
    return create_tagged(task, "create_network_acl", "network-acl", path, VpcId=task.get("vpcId"))


def _settle_acl(task: Task, identifier: str) -> None:
    if not task.touches("subnetIds"):
        return
    wanted, current = set(task.get("subnetIds") or []), set()
    if not task.fresh:
        current = set((_read_acl(task.cloud, identifier, {}) or {}).get("subnetIds", []))
    for subnet in sorted(wanted - current):
        _move_subnet(task.cloud, subnet, identifier)
    _leave(task.cloud, task.inputs["vpcId"], current - wanted)


def _leave(cloud: Cloud, vpc: str, subnets: set[str]) -> None:
    """Give subnets back to the VPC's default ACL: a subnet always has one."""
    if not subnets:
        return
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default", "Values": ["true"]}]
    default = cloud.call("ec2", "describe_network_acls", Filters=filters)["NetworkAcls"][0]["NetworkAclId"]
    for subnet in sorted(subnets):
        _move_subnet(cloud, subnet, default)


def _move_subnet(cloud: Cloud, subnet: str, acl: str) -> None:
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    for found in cloud.call("ec2", "describe_network_acls", Filters=filters)["NetworkAcls"]:
        for association in found["Associations"]:
            if association["SubnetId"] == subnet and found["NetworkAclId"] != acl:
                number = association["NetworkAclAssociationId"]
                cloud.call(
                    "ec2",
                    "replace_network_acl_association",
                    repeated=("InvalidAssociationID.NotFound",),
                    AssociationId=number,
                    NetworkAclId=acl,
                )


def _read_acl(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    acl = describe(cloud, ACLS, identifier)
    if acl is None:
        return None
    return {
        "vpcId": acl["VpcId"],
        "subnetIds": sorted(item["SubnetId"] for item in acl.get("Associations") or []),
        "arn": cloud.arn("ec2", f"network-acl/{identifier}"),
        "ownerId": acl.get("OwnerId") or cloud.account,
        "tags": tags_of(acl),
    }


def _delete_acl(task: Task, identifier: str) -> None:
    state = _read_acl(task.cloud, identifier, {})
    if state is None:
        return
    _leave(task.cloud, state["vpcId"], set(state["subnetIds"]))
    delete_when_free(task, identifier, lambda: task.cloud.call("ec2", "delete_network_acl", NetworkAclId=identifier))


_ACL_RULE = (
    string("networkAclId", required=True, replaces=True),
    integer("ruleNumber", required=True, replaces=True),
    boolean("egress", default=False, replaces=True),
    string("protocol", required=True, replaces=True, same=_same_protocol),
    string("ruleAction", required=True, replaces=True),
    string("cidrBlock", replaces=True),
    string("ipv6CidrBlock", replaces=True),
    integer("fromPort", aws=None, replaces=True),
    integer("toPort", aws=None, replaces=True),
    integer("icmpType", aws=None, replaces=True),
    integer("icmpCode", aws=None, replaces=True),
)
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}


def _create_acl_rule(task: Task) -> str:
    parameters = task.parameters(_ACL_RULE)
    parameters["Protocol"] = _NUMBERS.get(parameters["Protocol"], parameters["Protocol"])
    if task.get("fromPort") is not None:
        parameters["PortRange"] = {"From": int(task.inputs["fromPort"]), "To": int(task.inputs["toPort"])}
    if task.get("icmpType") is not None:
        parameters["IcmpTypeCode"] = {"Type": int(task.inputs["icmpType"]), "Code": int(task.inputs["icmpCode"])}
    task.cloud.call("ec2", "create_network_acl_entry", repeated=("NetworkAclEntryAlreadyExists",), **parameters)
    return _acl_rule_id(task.inputs)


def _acl_rule_id(inputs: Mapping[str, Any]) -> str:
    protocol = _NUMBERS.get(str(inputs["protocol"]), str(inputs["protocol"]))
    egress = "true" if inputs.get("egress") else "false"
    text = f"{inputs['networkAclId']}-{int(inputs['ruleNumber'])}-{egress}-{protocol}-"
    return f"nacl-{zlib.crc32(text.encode())}"


def _read_acl_rule(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if not known.get("networkAclId"):
        parts = identifier.split(":")
        if len(parts) != 4:
            raise ProviderError(f"an ACL rule is imported as <acl>:<number>:<protocol>:<egress>, not {identifier!r}")
        known = {"networkAclId": parts[0], "ruleNumber": int(parts[1]), "egress": parts[3] == "true"}
    acl = describe(cloud, ACLS, str(known["networkAclId"])) or {}
    for entry in acl.get("Entries") or []:
        if entry["RuleNumber"] == int(known["ruleNumber"]) and entry["Egress"] is bool(known.get("egress")):
            state = from_aws(_ACL_RULE, entry)
            ports, icmp = entry.get("PortRange") or {}, entry.get("IcmpTypeCode") or {}
            numbered = state["protocol"] not in ("-1", "1", "58")
            state.update({"fromPort": ports.get("From"), "toPort": ports.get("To")} if numbered else {})
            if state["protocol"] in ("1", "58"):
                state.update({"icmpType": icmp.get("Type"), "icmpCode": icmp.get("Code")})
            if known.get("protocol") and _same_protocol(known["protocol"], state["protocol"]):
                state["protocol"] = known["protocol"]
            state["networkAclId"] = known["networkAclId"]
            return {**state, "id": _acl_rule_id(state)}
    return None


def _delete_acl_rule(task: Task, identifier: str) -> None:
    if _read_acl_rule(task.cloud, identifier, task.state) is None:
        return
    parameters = task.parameters(_ACL_RULE, "networkAclId", "ruleNumber", "egress")
    unless_gone(lambda: task.cloud.call("ec2", "delete_network_acl_entry", **parameters))


def _rule_resource(direction: str) -> Resource:
    name = f"SecurityGroup{direction.capitalize()}Rule"
    return Resource(
        type=f"aws:vpc/securityGroup{direction.capitalize()}Rule:{name}",
        properties=_RULE,
        outputs=("arn", "securityGroupRuleId"),
        create=partial(_create_rule, direction),
        settle=_settle_rule,
        read=partial(_read_rule, direction),
        delete=partial(_delete_rule, direction),
        write_tags=write_tags,
        one_of=(_SOURCES,),
        delete_first=True,
    )


RESOURCES = (
    Resource(
        type="aws:ec2/securityGroup:SecurityGroup",
        properties=_GROUP,
        outputs=("arn", "ownerId"),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        delete=_delete_group,
        write_tags=write_tags,
        autoname=Autoname(),
    ),
    _rule_resource("ingress"),
    _rule_resource("egress"),
    Resource(
        type="aws:ec2/networkAcl:NetworkAcl",
        properties=_ACL,
        outputs=("arn", "ownerId"),
        create=_create_acl,
        settle=_settle_acl,
        read=_read_acl,
        delete=_delete_acl,
        write_tags=write_tags,
    ),
    Resource(
        type="aws:ec2/networkAclRule:NetworkAclRule",
        properties=_ACL_RULE,
        outputs=(),
        create=_create_acl_rule,
        read=_read_acl_rule,
        delete=_delete_acl_rule,
        one_of=(("cidrBlock", "ipv6CidrBlock"),),
        delete_first=True,
        import_id="<acl>:<number>:<protocol>:<egress true|false>",
    ),
)

"""What an account has of every kind that the stacks make, and AWS makes by itself with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Client = Callable[[str], Any]
# What is gone but spoken of for a while, as on AWS: terminated instances for an hour, keys for a week or more.
GONE = {"terminated", "PendingDeletion", "deleted", "rejected", "expired", "deleting"}
# What AWS makes by itself in every account that uses a service.
BY_AWS = "alias/aws/"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is listed.

    Args:
        call: the list call, with its parameters.
        items: the answer's key; with a second one, items of items.
        name: what identifies one.
        state: where one says that it is gone; a path of keys.
    """

    service: str
    call: str
    items: tuple[str, ...]
    name: str
    state: tuple[str, ...] = ()
    parameters: Mapping[str, Any] | None = None


KINDS = (
    Kind("acm", "list_certificates", ("CertificateSummaryList",), "CertificateArn"),
    Kind("autoscaling", "describe_auto_scaling_groups", ("AutoScalingGroups",), "AutoScalingGroupName"),
    Kind("autoscaling", "describe_launch_configurations", ("LaunchConfigurations",), "LaunchConfigurationName"),
    Kind("autoscaling", "describe_policies", ("ScalingPolicies",), "PolicyARN"),
    Kind("autoscaling", "describe_scheduled_actions", ("ScheduledUpdateGroupActions",), "ScheduledActionName"),
    Kind("cloudwatch", "describe_alarms", ("MetricAlarms",), "AlarmName"),
    Kind("cloudwatch", "describe_alarms", ("CompositeAlarms",), "AlarmName", (), {"AlarmTypes": ["CompositeAlarm"]}),
    Kind("cloudwatch", "list_dashboards", ("DashboardEntries",), "DashboardName"),
    Kind("ec2", "describe_addresses", ("Addresses",), "AllocationId"),
    Kind("ec2", "describe_dhcp_options", ("DhcpOptions",), "DhcpOptionsId"),
    Kind("ec2", "describe_flow_logs", ("FlowLogs",), "FlowLogId"),
    Kind("ec2", "describe_images", ("Images",), "ImageId"),
    Kind("ec2", "describe_instances", ("Reservations", "Instances"), "InstanceId", ("State", "Name")),
    Kind("ec2", "describe_internet_gateways", ("InternetGateways",), "InternetGatewayId"),
    Kind("ec2", "describe_key_pairs", ("KeyPairs",), "KeyName"),
    Kind("ec2", "describe_launch_templates", ("LaunchTemplates",), "LaunchTemplateId"),
    Kind("ec2", "describe_nat_gateways", ("NatGateways",), "NatGatewayId", ("State",)),
    Kind("ec2", "describe_network_acls", ("NetworkAcls",), "NetworkAclId"),
    Kind("ec2", "describe_network_interfaces", ("NetworkInterfaces",), "NetworkInterfaceId"),
    Kind("ec2", "describe_route_tables", ("RouteTables",), "RouteTableId"),
    Kind("ec2", "describe_security_groups", ("SecurityGroups",), "GroupId"),
    Kind("ec2", "describe_security_group_rules", ("SecurityGroupRules",), "SecurityGroupRuleId"),
    Kind("ec2", "describe_snapshots", ("Snapshots",), "SnapshotId", (), {"OwnerIds": ["self"]}),
    Kind("ec2", "describe_subnets", ("Subnets",), "SubnetId"),
    Kind("ec2", "describe_volumes", ("Volumes",), "VolumeId"),
    Kind("ec2", "describe_vpc_endpoints", ("VpcEndpoints",), "VpcEndpointId", ("State",)),
    Kind(
        "ec2",
        "describe_vpc_peering_connections",
        ("VpcPeeringConnections",),
        "VpcPeeringConnectionId",
        ("Status", "Code"),
    ),
    Kind("ec2", "describe_vpcs", ("Vpcs",), "VpcId"),
    Kind("elbv2", "describe_load_balancers", ("LoadBalancers",), "LoadBalancerArn"),
    Kind("elbv2", "describe_target_groups", ("TargetGroups",), "TargetGroupArn"),
    Kind("events", "list_rules", ("Rules",), "Name"),
    Kind("iam", "list_instance_profiles", ("InstanceProfiles",), "InstanceProfileName"),
    Kind("iam", "list_policies", ("Policies",), "PolicyName", (), {"Scope": "Local"}),
    Kind("iam", "list_roles", ("Roles",), "RoleName"),
    Kind("iam", "list_server_certificates", ("ServerCertificateMetadataList",), "ServerCertificateName"),
    Kind("iam", "list_users", ("Users",), "UserName"),
    Kind("kms", "list_aliases", ("Aliases",), "AliasName"),
    Kind("logs", "describe_log_groups", ("logGroups",), "logGroupName"),
    Kind("route53", "list_health_checks", ("HealthChecks",), "Id"),
    Kind("route53", "list_hosted_zones", ("HostedZones",), "Name"),
    Kind("s3", "list_buckets", ("Buckets",), "Name"),
    Kind("sns", "list_subscriptions", ("Subscriptions",), "SubscriptionArn"),
    Kind("sns", "list_topics", ("Topics",), "TopicArn"),
    Kind("sqs", "list_queues", ("QueueUrls",), ""),
    Kind("ssm", "describe_parameters", ("Parameters",), "Name"),
)


def holdings(client: Client) -> dict[str, set[str]]:
    """Names or ids by kind (`ec2 Volumes`); what is gone and only spoken of isn't counted.

    Args:
        client: makes a boto3 client for a service.
    """
    clients = {service: client(service) for service in {kind.service for kind in KINDS} | {"kms"}}
    found = {f"{kind.service} {kind.items[-1]}": set(_listed(clients[kind.service], kind)) for kind in KINDS}
    return {**found, "kms Keys": set(_keys(clients["kms"]))}


def leftovers(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What is there and wasn't before, by kind."""
    return {kind: more for kind, names in after.items() if (more := names - before.get(kind, set()))}


def _listed(client: Any, kind: Kind) -> Iterator[str]:
    parameters = dict(kind.parameters or {})
    paginated = client.can_paginate(kind.call)
    pages = client.get_paginator(kind.call).paginate(**parameters) if paginated else [_call(client, kind, parameters)]
    for page in pages:
        items = [page]
        for key in kind.items:
            items = [item for holder in items for item in holder.get(key, [])]
        for item in items:
            name = str(item[kind.name]) if kind.name else str(item)
            if _state(item, kind.state) not in GONE and not name.startswith(BY_AWS):
                yield name


def _call(client: Any, kind: Kind, parameters: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = getattr(client, kind.call)(**parameters)
    return answer


def _state(item: Any, path: tuple[str, ...]) -> str:
    for key in path:
        item = item.get(key, "")
    return str(item) if path else ""


def _keys(kms: Any) -> Iterator[str]:
    """Keys that can still be used, without AWS's own."""
    for key in kms.list_keys()["Keys"]:
        told = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if told["KeyState"] not in GONE and told["KeyManager"] != "AWS":
            yield str(key["KeyId"])

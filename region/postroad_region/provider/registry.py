"""Every resource type that the provider knows, by token."""

from collections.abc import Mapping

from .resource import Resource
from .services import (
    acm,
    autoscaling,
    autoscaling_policies,
    cloudwatch,
    ebs,
    ec2_addresses,
    ec2_endpoints,
    ec2_instances,
    ec2_interfaces,
    ec2_launch,
    ec2_network,
    ec2_routes,
    ec2_security,
    elbv2,
    elbv2_targets,
    iam,
    kms,
    logs,
    route53,
    s3,
    servicequotas,
    sns,
    sqs,
)

_MODULES = (
    acm,
    autoscaling,
    autoscaling_policies,
    servicequotas,
    elbv2,
    elbv2_targets,
    sqs,
    sns,
    logs,
    kms,
    ec2_instances,
    cloudwatch,
    ebs,
    ec2_addresses,
    ec2_interfaces,
    ec2_endpoints,
    ec2_launch,
    ec2_network,
    ec2_routes,
    ec2_security,
    iam,
    route53,
    s3,
)

RESOURCES: Mapping[str, Resource] = {resource.type: resource for module in _MODULES for resource in module.RESOURCES}

"""What AWS refuses, the API refuses with AWS's own code."""

from typing import Any

import pytest

RULE = {"IpProtocol": "tcp", "FromPort": 587, "ToPort": 587, "IpRanges": [{"CidrIp": "10.20.0.0/16"}]}


def test_overlapping_subnets_are_refused(aws: Any, place: Any) -> None:
    assert aws.refused(aws.ec2.create_subnet, VpcId=place.vpc, CidrBlock="10.20.1.128/25") == "InvalidSubnet.Conflict"


def test_a_subnet_outside_its_vpc_is_refused(aws: Any, place: Any) -> None:
    assert aws.refused(aws.ec2.create_subnet, VpcId=place.vpc, CidrBlock="10.21.1.0/24") == "InvalidSubnet.Range"


@pytest.mark.parametrize("block", ["10.20.8.0/29", "10.0.0.0/8"])
def test_a_subnet_of_a_size_that_aws_does_not_have_is_refused(aws: Any, place: Any, block: str) -> None:
    assert aws.refused(aws.ec2.create_subnet, VpcId=place.vpc, CidrBlock=block) == "InvalidSubnet.Range"


@pytest.mark.parametrize("zone", ["us-east-1z", "eu-west-1a"])
def test_a_subnet_in_no_zone_of_the_region_is_refused(aws: Any, place: Any, zone: str) -> None:
    code = aws.refused(aws.ec2.create_subnet, VpcId=place.vpc, CidrBlock="10.20.2.0/24", AvailabilityZone=zone)
    assert code == "InvalidParameterValue"


def test_the_sixth_elastic_address_needs_a_higher_quota(aws: Any) -> None:
    for _ in range(5):
        aws.ec2.allocate_address(Domain="vpc")
    assert aws.refused(aws.ec2.allocate_address, Domain="vpc") == "AddressLimitExceeded"
    quota = {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3"}
    quotas = aws.service_quotas
    assert quotas.get_service_quota(**quota)["Quota"]["Value"] == 5.0
    granted = quotas.request_service_quota_increase(**quota, DesiredValue=6)["RequestedQuota"]
    assert granted["Status"] == "APPROVED"
    assert quotas.get_service_quota(**quota)["Quota"]["Value"] == 6.0
    assert quotas.get_aws_default_service_quota(**quota)["Quota"]["Value"] == 5.0
    aws.ec2.allocate_address(Domain="vpc")
    assert aws.refused(aws.ec2.allocate_address, Domain="vpc") == "AddressLimitExceeded"


def test_a_quota_is_only_ever_raised(aws: Any) -> None:
    quota = {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3"}
    refusal = aws.refused(aws.service_quotas.request_service_quota_increase, **quota, DesiredValue=5)
    assert refusal == "IllegalArgumentException"
    unknown = {"ServiceCode": "ec2", "QuotaCode": "L-00000000"}
    assert aws.refused(aws.service_quotas.get_service_quota, **unknown) == "NoSuchResourceException"


def launch(aws: Any, place: Any, **more: Any) -> Any:
    parameters = {"ImageId": place.image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.small"}
    if "NetworkInterfaces" not in more:
        parameters["SubnetId"] = place.subnet
    return aws.ec2.run_instances(**{**parameters, **more})["Instances"][0]


def test_an_unknown_instance_type_is_refused(aws: Any, place: Any) -> None:
    assert aws.refused(lambda: launch(aws, place, InstanceType="m99.huge")) == "InvalidParameterValue"


def test_an_interface_holds_as_many_addresses_as_its_type_allows(aws: Any, place: Any) -> None:
    eni = launch(aws, place)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    aws.ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=3)
    assert (
        aws.refused(aws.ec2.assign_private_ip_addresses, NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
        == "PrivateIpAddressLimitExceeded"
    )


def test_a_launch_with_too_many_addresses_is_refused(aws: Any, place: Any) -> None:
    def interface(secondary: int) -> dict[str, Any]:
        return {"DeviceIndex": 0, "SubnetId": place.subnet, "SecondaryPrivateIpAddressCount": secondary}

    assert aws.refused(lambda: launch(aws, place, NetworkInterfaces=[interface(4)])) == "PrivateIpAddressLimitExceeded"
    made = launch(aws, place, NetworkInterfaces=[interface(3)])
    assert len(made["NetworkInterfaces"][0]["PrivateIpAddresses"]) == 4


def test_a_secondary_address_is_free_and_of_the_subnet(aws: Any, place: Any) -> None:
    eni = launch(aws, place)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    other = launch(aws, place)["PrivateIpAddress"]
    assign = aws.ec2.assign_private_ip_addresses
    in_use = aws.refused(assign, NetworkInterfaceId=eni, PrivateIpAddresses=[other])
    assert in_use == "InvalidIPAddress.InUse"
    outside = aws.refused(assign, NetworkInterfaceId=eni, PrivateIpAddresses=["10.20.9.9"])
    assert outside == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["m" * 33, "-mta", "mta-", "mta_a", "internal-mta"])
def test_a_load_balancer_name_that_aws_would_not_take_is_refused(aws: Any, place: Any, name: str) -> None:
    refusal = aws.refused(aws.elbv2.create_load_balancer, Name=name, Type="network", Subnets=[place.subnet])
    assert refusal == "ValidationError"


def test_a_target_group_name_over_32_characters_is_refused(aws: Any, place: Any) -> None:
    wanted = {"Port": 587, "Protocol": "TCP", "VpcId": place.vpc}
    assert aws.refused(aws.elbv2.create_target_group, Name="m" * 33, **wanted) == "ValidationError"
    assert aws.elbv2.create_target_group(Name="m" * 32, **wanted)["TargetGroups"]


@pytest.mark.parametrize(
    "change",
    [
        {"FromPort": 25, "ToPort": 24},
        {"FromPort": 70000, "ToPort": 70000},
        {"IpProtocol": "smtp"},
        {"IpRanges": [{"CidrIp": "10.20.0.0/33"}]},
        {"IpRanges": [{"CidrIp": "here"}]},
    ],
    ids=["ports turned round", "no such port", "no such protocol", "no such prefix", "no address"],
)
@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_a_rule_that_does_not_parse_is_refused(aws: Any, place: Any, change: dict[str, Any], direction: str) -> None:
    group = aws.ec2.create_security_group(GroupName="g", Description="x", VpcId=place.vpc)["GroupId"]
    call = getattr(aws.ec2, f"authorize_security_group_{direction}")
    assert aws.refused(call, GroupId=group, IpPermissions=[{**RULE, **change}]) == "InvalidParameterValue"


def test_a_rule_without_ports_is_refused(aws: Any, place: Any) -> None:
    group = aws.ec2.create_security_group(GroupName="g", Description="x", VpcId=place.vpc)["GroupId"]
    rule = {"IpProtocol": "udp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    refusal = aws.refused(aws.ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=[rule])
    assert refusal == "InvalidParameterValue"


def test_rules_of_a_group_end_at_the_quota(aws: Any, place: Any) -> None:
    group = aws.ec2.create_security_group(GroupName="g", Description="x", VpcId=place.vpc)["GroupId"]
    ranges = [{"CidrIp": f"10.{number}.0.0/16"} for number in range(61)]

    def add(wanted: list[dict[str, str]]) -> None:
        rule = {**RULE, "IpRanges": wanted}
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    add(ranges[:60])
    assert aws.refused(lambda: add(ranges[60:])) == "RulesPerSecurityGroupLimitExceeded"
    quota = {"ServiceCode": "vpc", "QuotaCode": "L-0EA8095F"}
    aws.service_quotas.request_service_quota_increase(**quota, DesiredValue=61)
    add(ranges[60:])


def test_a_subnet_has_one_route_table(aws: Any, place: Any) -> None:
    first, second = (aws.ec2.create_route_table(VpcId=place.vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    association = aws.ec2.associate_route_table(RouteTableId=first, SubnetId=place.subnet)["AssociationId"]
    assert aws.ec2.associate_route_table(RouteTableId=first, SubnetId=place.subnet)["AssociationId"] == association
    refusal = aws.refused(aws.ec2.associate_route_table, RouteTableId=second, SubnetId=place.subnet)
    assert refusal == "Resource.AlreadyAssociated"


def test_an_acl_entry_that_is_not_there_is_told_so(aws: Any, place: Any) -> None:
    acl = aws.ec2.create_network_acl(VpcId=place.vpc)["NetworkAcl"]["NetworkAclId"]
    entry = {"NetworkAclId": acl, "RuleNumber": 100, "Egress": False}
    refusal = aws.refused(aws.ec2.delete_network_acl_entry, **entry)
    assert refusal == "InvalidNetworkAclEntry.NotFound"
    aws.ec2.create_network_acl_entry(**entry, Protocol="-1", RuleAction="allow", CidrBlock="10.0.0.0/8")
    aws.ec2.delete_network_acl_entry(**entry)
    assert aws.refused(aws.ec2.delete_network_acl_entry, **entry) == "InvalidNetworkAclEntry.NotFound"


def test_a_template_s_own_tags_are_not_those_of_its_instances(aws: Any, place: Any) -> None:
    def tags(kind: str, name: str) -> dict[str, Any]:
        return {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}

    data = {"ImageId": place.image, "TagSpecifications": [tags("instance", "mta-a")]}
    template = aws.ec2.create_launch_template(
        LaunchTemplateName="mta", LaunchTemplateData=data, TagSpecifications=[tags("launch-template", "template")]
    )["LaunchTemplate"]
    assert template["Tags"] == [{"Key": "Name", "Value": "template"}]
    number = template["LaunchTemplateId"]
    version = aws.ec2.describe_launch_template_versions(LaunchTemplateId=number)["LaunchTemplateVersions"][0]
    assert [item["ResourceType"] for item in version["LaunchTemplateData"]["TagSpecifications"]] == ["instance"]
    aws.ec2.create_tags(Resources=[number], Tags=[{"Key": "Name", "Value": "other"}])
    found = aws.ec2.describe_launch_templates(LaunchTemplateIds=[number])["LaunchTemplates"][0]
    assert found["Tags"] == [{"Key": "Name", "Value": "other"}]


def test_a_queue_keeps_its_policy(aws: Any) -> None:
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}'
    queue = aws.sqs.create_queue(QueueName="events", Attributes={"Policy": policy})["QueueUrl"]
    aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})
    assert "sqs:*" in aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": ""})
    assert "Policy" not in aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]

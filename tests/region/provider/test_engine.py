"""The provider under the real engine: what an operator does to a stack, and what must come of it."""

from typing import Any

STACK = """
vpc = aws.ec2.Vpc("mail", cidr_block="10.20.0.0/16", enable_dns_hostnames=True, tags={"Name": "mail"})
gateway = aws.ec2.InternetGateway("mail", vpc_id=vpc.id)
table = aws.ec2.RouteTable("mail", vpc_id=vpc.id)
aws.ec2.Route("out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
subnet = aws.ec2.Subnet("mail-a", vpc_id=vpc.id, cidr_block="10.20.0.0/24", availability_zone="us-east-1a")
aws.ec2.RouteTableAssociation("mail-a", subnet_id=subnet.id, route_table_id=table.id)
group = aws.ec2.SecurityGroup("mta", vpc_id=vpc.id, description="MTAs")
aws.vpc.SecurityGroupIngressRule(
    "submission", security_group_id=group.id, ip_protocol="tcp", from_port=587, to_port=587, cidr_ipv4="10.0.0.0/8"
)
aws.vpc.SecurityGroupEgressRule("out", security_group_id=group.id, ip_protocol="-1", cidr_ipv4="0.0.0.0/0")
trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'\\
    '"Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}]}'
role = aws.iam.Role("mta", assume_role_policy=trust)
read = aws.iam.Policy("read", policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject",'\\
    '"Resource":"*"}]}')
aws.iam.RolePolicyAttachment("mta", role=role.name, policy_arn=read.arn)
profile = aws.iam.InstanceProfile("mta", role=role.name)
template = aws.ec2.LaunchTemplate(
    "mta",
    image_id="ami-0ba5e000000000012",
    instance_type="t3.micro",
    iam_instance_profile={"name": profile.name},
    vpc_security_group_ids=[group.id],
    metadata_options={"http_tokens": "required"},
)
cells = aws.autoscaling.Group(
    "mta-a",
    name="postroad-local-mta-a",
    min_size=1,
    max_size=1,
    vpc_zone_identifiers=[subnet.id],
    launch_template={"id": template.id, "version": template.latest_version.apply(str)},
    tags=[{"key": "Tier", "value": "mta", "propagate_at_launch": True}],
)
address = aws.ec2.Eip("proxy-a", domain="vpc")
volume = aws.ebs.Volume("spool-a", availability_zone="us-east-1a", size=4, type="gp3", encrypted=True)
zone = aws.route53.Zone("postroad.test", name="postroad.test")
aws.route53.Record("mail", zone_id=zone.zone_id, name="mail", type="A", ttl=300, records=[address.public_ip])
bucket = aws.s3.Bucket("artifacts", force_destroy=True)
aws.s3.BucketPublicAccessBlock("artifacts", bucket=bucket.id, block_public_acls=True)
pulumi.export("vpc", vpc.id)
pulumi.export("bucket", bucket.bucket)
pulumi.export("group", group.name)
pulumi.export("region", aws.get_region().region)
"""
DEFAULT_TAGS = """  aws:defaultTags:
    tags:
      Project: postroad
"""
UP = ("up", "--yes", "--skip-preview")
UNCHANGED = ("preview", "--refresh", "--expect-no-changes")


def _tags(aws: Any, number: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in aws.client("ec2").describe_vpcs(VpcIds=[number])["Vpcs"][0]["Tags"]}


def test_a_stack_lives_from_up_to_destroy(aws: Any, engine: Any) -> None:
    engine.write(STACK, DEFAULT_TAGS)
    engine("preview")
    engine(*UP)
    outputs = engine.outputs()
    assert outputs["region"] == "us-east-1"
    assert outputs["bucket"].startswith("artifacts-")
    assert len(outputs["group"]) == len("mta-") + 7
    assert _tags(aws, outputs["vpc"]) == {"Name": "mail", "Project": "postroad"}
    engine(*UNCHANGED)

    client = aws.client("ec2")
    client.create_tags(Resources=[outputs["vpc"]], Tags=[{"Key": "Name", "Value": "by hand"}])
    client.modify_vpc_attribute(VpcId=outputs["vpc"], EnableDnsHostnames={"Value": False})
    aws.client("s3").delete_public_access_block(Bucket=outputs["bucket"])
    engine("refresh", "--yes", "--skip-preview")
    seen = engine.resource(outputs["vpc"])
    assert seen["inputs"]["tags"] == {"Name": "by hand"}
    assert seen["outputs"]["enableDnsHostnames"] is False
    # What was changed by hand goes back, and what the program changes goes there, in one update.
    engine.write(STACK.replace('instance_type="t3.micro"', 'instance_type="t3.small"'), DEFAULT_TAGS)
    engine(*UP)
    assert _tags(aws, outputs["vpc"]) == {"Name": "mail", "Project": "postroad"}
    assert client.describe_vpc_attribute(VpcId=outputs["vpc"], Attribute="enableDnsHostnames")["EnableDnsHostnames"][
        "Value"
    ]
    assert aws.client("s3").get_public_access_block(Bucket=outputs["bucket"])
    group = aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert group["LaunchTemplate"]["Version"] == "2"
    engine(*UNCHANGED)

    engine("destroy", "--yes", "--skip-preview")
    assert len(client.describe_vpcs()["Vpcs"]) == 1  # the account's default one
    assert aws.client("s3").list_buckets()["Buckets"] == []


def test_what_the_provider_does_not_know_is_named(aws: Any, engine: Any) -> None:
    engine.write('aws.ec2.Vpc("mail", cidr_block="10.20.0.0/16", ipv6_cidr_block="2001:db8::/56")\n')
    told = engine("preview", fails=True)
    assert "aws:ec2/vpc:Vpc has no property 'ipv6CidrBlock'" in told
    engine.write('aws.ec2.EgressOnlyInternetGateway("mail", vpc_id="vpc-1")\n')
    told = engine("preview", fails=True)
    assert "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway (mail) isn't among the types" in told


def test_an_existing_resource_is_imported_and_then_unchanged(aws: Any, engine: Any) -> None:
    made = aws.client("ec2").create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    engine.write(
        'aws.ec2.Vpc("mail", cidr_block="10.20.0.0/16", '
        f'opts=pulumi.ResourceOptions(import_="{made}"))\npulumi.export("vpc", 1)\n'
    )
    engine(*UP)
    engine(*UNCHANGED)
    table = aws.client("ec2").create_route_table(VpcId=made)["RouteTable"]["RouteTableId"]
    engine(
        *("import", "aws:ec2/routeTable:RouteTable", "main", table),
        *("--yes", "--skip-preview", "--protect=false", "--generate-code=false"),
    )
    assert engine.resource(table)["inputs"]["vpcId"] == made
    engine("destroy", "--yes", "--skip-preview")
    assert made not in [vpc["VpcId"] for vpc in aws.client("ec2").describe_vpcs()["Vpcs"]]


def test_an_error_of_aws_says_code_type_and_name(aws: Any, engine: Any) -> None:
    engine.write('aws.ec2.Subnet("mail-a", vpc_id="vpc-0123", cidr_block="10.20.0.0/24")\n')
    told = engine(*UP, fails=True)
    assert "creating aws:ec2/subnet:Subnet 'mail-a'" in told
    assert "InvalidVpcID.NotFound" in told


def test_a_replacement_of_a_named_resource_removes_the_old_one_first(aws: Any, engine: Any) -> None:
    program = 'aws.ec2.KeyPair("ssh", key_name="postroad-local", public_key="{}")\n'
    first = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBMZEVlbqgmfPVkOpgNz4fmTjsHhV6Fjoqfu2y5lMLFV"
    second = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxVHaoZyBj9RZLAtGJ2uDCpxJQ4ZjqLZTpV0Iq8BvGM"
    engine.write(program.format(first))
    engine(*UP)
    engine.write(program.format(second))
    engine(*UP)
    pairs = aws.client("ec2").describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
    assert [pair["PublicKey"].split()[1] for pair in pairs] == [second.split()[1]]
    engine(*UNCHANGED)

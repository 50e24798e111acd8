"""Each policy by a table: what passes, what doesn't, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from postroad_infra.policies import UNKNOWN, Resource
from postroad_infra.policies.encryption import buckets_are_closed, encryption_at_rest
from postroad_infra.policies.metadata_service import metadata_service
from postroad_infra.policies.public_ingress import PublicIngress, public_ingress
from postroad_infra.policies.required_tags import required_tags

VPC = "aws:ec2/vpc:Vpc"
VOLUME = "aws:ebs/volume:Volume"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
INSTANCE = "aws:ec2/instance:Instance"
GROUP = "aws:autoscaling/group:Group"
QUEUE = "aws:sqs/queue:Queue"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
BUCKET = "aws:s3/bucket:Bucket"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"

TAGS = {"Project": "postroad", "Environment": "local", "Tier": "mta", "Name": "x"}
ZONAL = TAGS | {"Zone": "us-east-1a"}


def resource(kind: str, props: Mapping[str, Any]) -> Resource:
    return Resource(kind, "x", props)


def group_tags(*, but: str = "", propagate: bool = True) -> list[dict[str, Any]]:
    return [{"key": key, "value": value, "propagateAtLaunch": propagate} for key, value in ZONAL.items() if key != but]


@pytest.mark.parametrize(
    ("kind", "tags", "said"),
    [
        (VPC, TAGS, []),
        (VPC, UNKNOWN, []),
        (VPC, TAGS | {"Name": UNKNOWN}, []),
        (VPC, None, ["the tags Project, Environment, Tier, Name are missing; give it tags=tags.of(…)"]),
        (VPC, TAGS | {"Tier": ""}, ["the tags Tier are missing; give it tags=tags.of(…)"]),
        (VOLUME, ZONAL, []),
        (VOLUME, TAGS, ["the tags Zone are missing; give it tags=tags.of(…)"]),
        (GROUP, group_tags(), []),
        (GROUP, group_tags(but="Zone"), ["the tags Zone are missing; give it tags=tags.of(…)"]),
        (
            GROUP,
            group_tags(propagate=False),
            ["the tags Project, Environment, Tier, Name, Zone don't reach the hosts; set propagate_at_launch"],
        ),
        ("aws:ec2/route:Route", None, []),
        ("postroad:network:Vpc", None, []),
        ("pulumi:providers:aws", None, []),
    ],
)
def test_required_tags(kind: str, tags: Any, said: list[str]) -> None:
    assert list(required_tags(resource(kind, {"tags": tags}))) == said


GOOD_METADATA = {"httpTokens": "required", "httpPutResponseHopLimit": 1}
NO_TOKEN = 'the metadata service answers without a token; set metadata_options http_tokens="required"'
FAR = "the metadata service's answers leave the host; set metadata_options http_put_response_hop_limit=1"


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (TEMPLATE, GOOD_METADATA, []),
        (TEMPLATE, GOOD_METADATA | {"httpPutResponseHopLimit": 1.0}, []),
        (TEMPLATE, UNKNOWN, []),
        (TEMPLATE, {"httpEndpoint": "disabled"}, []),
        (TEMPLATE, None, [NO_TOKEN, FAR]),
        (TEMPLATE, GOOD_METADATA | {"httpTokens": "optional"}, [NO_TOKEN]),
        (TEMPLATE, GOOD_METADATA | {"httpPutResponseHopLimit": 2}, [FAR]),
        (INSTANCE, None, [NO_TOKEN, FAR]),
        (VPC, None, []),
    ],
)
def test_metadata_service(kind: str, options: Any, said: list[str]) -> None:
    assert list(metadata_service(resource(kind, {"metadataOptions": options}))) == said


def test_an_instance_from_a_template_takes_its_metadata_options() -> None:
    assert list(metadata_service(resource(INSTANCE, {"launchTemplate": {"id": "lt-1"}}))) == []


def template(ebs: Mapping[str, Any]) -> dict[str, Any]:
    return {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": ebs}]}


@pytest.mark.parametrize(
    ("kind", "props", "said"),
    [
        (VOLUME, {"encrypted": True}, []),
        (VOLUME, {"encrypted": UNKNOWN}, []),
        (VOLUME, {}, ["the volume isn't encrypted; set encrypted=True"]),
        (VOLUME, {"encrypted": False}, ["the volume isn't encrypted; set encrypted=True"]),
        (TEMPLATE, template({"encrypted": "true"}), []),
        (TEMPLATE, template({"encrypted": True}), []),
        (TEMPLATE, template({}), ['the volume /dev/xvda isn\'t encrypted; set encrypted="true"']),
        (TEMPLATE, {"blockDeviceMappings": UNKNOWN}, []),
        (
            TEMPLATE,
            {},
            ["hosts boot whatever the image says, perhaps unencrypted; name the root volume with encrypted"],
        ),
        (INSTANCE, {"rootBlockDevice": {"encrypted": True}}, []),
        (INSTANCE, {"launchTemplate": {"id": "lt-1"}}, []),
        (INSTANCE, {}, ["a volume of the host isn't encrypted; set encrypted=True on its block devices"]),
        (
            INSTANCE,
            {"rootBlockDevice": {"encrypted": True}, "ebsBlockDevices": [{"deviceName": "/dev/sdb"}]},
            ["a volume of the host isn't encrypted; set encrypted=True on its block devices"],
        ),
        (QUEUE, {"sqsManagedSseEnabled": True}, []),
        (QUEUE, {"kmsMasterKeyId": "alias/x"}, []),
        (QUEUE, {}, ["the queue isn't encrypted; set sqs_managed_sse_enabled=True"]),
    ],
)
def test_encryption_at_rest(kind: str, props: Mapping[str, Any], said: list[str]) -> None:
    assert list(encryption_at_rest(resource(kind, props))) == said


CLOSED = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}


def bucket_parts(*, encryption_of: str = "b", block_of: str = "b", block: Mapping[str, Any] = CLOSED) -> list[Resource]:
    return [
        Resource(BUCKET, "artifacts", {}, key="b"),
        Resource(ENCRYPTION, "artifacts", {}, references={"bucket": frozenset({encryption_of})}),
        Resource(BLOCK, "artifacts", block, references={"bucket": frozenset({block_of})}),
    ]


NOT_ENCRYPTED = "the bucket has no BucketServerSideEncryptionConfiguration"
NOT_BLOCKED = "the bucket has no BucketPublicAccessBlock that blocks all four ways"


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (bucket_parts(), []),
        (bucket_parts(block=CLOSED | {"blockPublicPolicy": UNKNOWN}), []),
        (bucket_parts()[:1], [NOT_ENCRYPTED, NOT_BLOCKED]),
        (bucket_parts(encryption_of="another"), [NOT_ENCRYPTED]),
        (bucket_parts(block_of="another"), [NOT_BLOCKED]),
        (bucket_parts(block=CLOSED | {"restrictPublicBuckets": False}), [NOT_BLOCKED]),
    ],
)
def test_buckets_are_closed(parts: list[Resource], said: list[str]) -> None:
    assert [message for _, message in buckets_are_closed(parts)] == said


def rule(**props: Any) -> dict[str, Any]:
    return {"ipProtocol": "tcp", "fromPort": 587, "toPort": 587, "tags": TAGS} | props


LISTED = frozenset({PublicIngress("mta", "tcp", 587)})
REMEDY = "narrow it, or list it in postroad_infra/policies/public_ingress.py"


@pytest.mark.parametrize(
    ("kind", "props", "said"),
    [
        (RULE, rule(cidrIpv4="10.20.0.0/16"), []),
        (RULE, rule(cidrIpv4="100.64.0.0/10"), []),
        (RULE, rule(cidrIpv4=UNKNOWN), []),
        (RULE, rule(cidrIpv6="fd00::/8"), []),
        (RULE, rule(referencedSecurityGroupId="sg-1"), []),
        (EGRESS_RULE, rule(cidrIpv4="0.0.0.0/0"), []),
        (RULE, rule(cidrIpv4="0.0.0.0/0"), []),
        (
            RULE,
            rule(cidrIpv4="0.0.0.0/0", fromPort=22, toPort=22),
            [f"0.0.0.0/0 may reach tcp 22 of mta; {REMEDY}"],
        ),
        (
            RULE,
            rule(cidrIpv4="0.0.0.0/0", fromPort=500, toPort=600.0),
            [f"0.0.0.0/0 may reach tcp 500 to 600.0 of mta; {REMEDY}"],
        ),
        (
            RULE,
            rule(cidrIpv4="0.0.0.0/0", tags=TAGS | {"Tier": "proxy"}),
            [f"0.0.0.0/0 may reach tcp 587 of proxy; {REMEDY}"],
        ),
        (
            RULE,
            rule(cidrIpv4="0.0.0.0/0", ipProtocol="-1", fromPort=None, toPort=None),
            [f"0.0.0.0/0 may reach every port of mta; {REMEDY}"],
        ),
        # Half of it is private; all of it would be let in.
        (RULE, rule(cidrIpv4="8.0.0.0/5", fromPort=25), [f"8.0.0.0/5 may reach tcp 25 to 587 of mta; {REMEDY}"]),
        (RULE, rule(cidrIpv6="::/0", fromPort=25), [f"::/0 may reach tcp 25 to 587 of mta; {REMEDY}"]),
        (RULE, rule(prefixListId="pl-1", fromPort=25), [f"prefix list pl-1 may reach tcp 25 to 587 of mta; {REMEDY}"]),
        (
            "aws:ec2/securityGroup:SecurityGroup",
            {"ingress": [{"cidrBlocks": ["0.0.0.0/0"]}]},
            ["the group has rules inside; make each a resource of its own (Firewall), so that each is judged"],
        ),
        (
            "aws:ec2/securityGroupRule:SecurityGroupRule",
            {},
            ["write it as a SecurityGroupIngressRule or SecurityGroupEgressRule (Firewall)"],
        ),
    ],
)
def test_public_ingress(kind: str, props: Mapping[str, Any], said: list[str]) -> None:
    assert list(public_ingress(resource(kind, props), LISTED)) == said


def test_nothing_is_listed_yet() -> None:
    (message,) = public_ingress(resource(RULE, rule(cidrIpv4="0.0.0.0/0")))
    assert message.startswith("0.0.0.0/0 may reach tcp 587 of mta")

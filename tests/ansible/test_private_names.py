"""What runs has a name in the private zone, what is gone has none, and what others keep there stays."""

from typing import Any

import boto3
import private_names
import pytest

OWNED = "(mta|proxy|resolver)-[a-z](-[0-9a-z]+)?"
ZONE = "stack.internal"


@pytest.mark.parametrize(
    ("names", "present", "write", "remove"),
    [
        ({"mta-a": ["10.0.0.1"]}, {}, ["mta-a"], []),
        ({"mta-a": ["10.0.0.2", "10.0.0.1"]}, {"mta-a": (30, ["10.0.0.1", "10.0.0.2"])}, [], []),
        ({"mta-a": ["10.0.0.1"]}, {"mta-a": (30, ["10.0.0.9"])}, ["mta-a"], []),
        ({"mta-a": ["10.0.0.1"]}, {"mta-a": (300, ["10.0.0.1"])}, ["mta-a"], []),
        ({}, {"mta-a-1f2e3": (30, ["10.0.0.1"])}, [], ["mta-a-1f2e3"]),
        ({}, {"redis": (30, ["10.0.0.1"]), "mta-a.old": (30, ["10.0.0.1"]), "": (30, ["10.0.0.1"])}, [], []),
    ],
)
def test_names_follow_the_hosts(
    names: dict[str, list[str]], present: dict[str, tuple[int, list[str]]], write: list[str], remove: list[str]
) -> None:
    assert private_names.decide(names, present, owned=OWNED, ttl=30) == (write, remove)


class Done(Exception):
    """The module's answer."""


class Module:
    """What `run` needs of AnsibleModule."""

    def __init__(self, vpc: str, hosts: dict[str, str], *, check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.params = {"zone": ZONE, "vpc": vpc, "region": "us-east-1", "hosts": hosts, "owned": OWNED, "ttl": 30}

    def exit_json(self, **answer: Any) -> None:
        raise Done(answer)

    def fail_json(self, **answer: Any) -> None:
        raise Done({"failed": True, **answer})


def ask(*arguments: Any, **options: Any) -> dict[str, Any]:
    with pytest.raises(Done) as answer:
        private_names.run(Module(*arguments, **options))
    return dict(answer.value.args[0])


@pytest.fixture
def vpc(aws: str) -> str:
    made = boto3.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    seen_by = {"VPCRegion": "us-east-1", "VPCId": made}
    boto3.client("route53").create_hosted_zone(
        Name=ZONE, CallerReference="1", VPC=seen_by, HostedZoneConfig={"PrivateZone": True}
    )
    return str(made)


def test_a_host_that_is_replaced_takes_its_name_along(vpc: str) -> None:
    first = {"mta-a-11111": "10.0.0.1", "mta-a-33333": "10.0.0.3"}
    assert ask(vpc, first, check_mode=True)["written"] == ["mta-a", "mta-a-11111", "mta-a-33333"]
    assert ask(vpc, first)["changed"]
    assert not ask(vpc, first)["changed"]

    said = ask(vpc, {"mta-a-22222": "10.0.0.2", "mta-a-33333": "10.0.0.3"})

    assert said == {"changed": True, "written": ["mta-a", "mta-a-22222"], "removed": ["mta-a-11111"]}


def test_a_vpc_without_the_zone_is_told_what_to_do(aws: str, vpc: str) -> None:
    other = boto3.client("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    said = ask(other, {"mta-a-11111": "10.0.0.1"})
    assert said["failed"]
    assert "pulumi up" in said["msg"]

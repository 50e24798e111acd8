"""Each proxy takes a sending interface of its zone, keeps it, and all know which address is where."""

from typing import Any

import boto3
import pytest
import sending_interfaces
from postroad_region.api import seed
from sending_interfaces import decide, sources_of


def slot(name: str, zone: str = "a", instance: str = "") -> dict[str, Any]:
    return {"name": name, "zone": zone, "instance": instance, "interface": f"eni-{name}"}


def host(instance: str, zone: str = "a") -> dict[str, str]:
    return {"instance": instance, "zone": zone, "address": f"10.0.0.{instance[-1]}"}


@pytest.mark.parametrize(
    ("slots", "hosts", "held", "given", "lacking"),
    [
        pytest.param([slot("p")], {"h1": host("i-1")}, {}, {"h1": "p"}, [], id="a new host takes what is free"),
        pytest.param([slot("p", instance="i-1")], {"h1": host("i-1")}, {"h1": "p"}, {}, [], id="it keeps it"),
        pytest.param([slot("p", "b")], {"h1": host("i-1")}, {}, {}, ["h1"], id="none of another zone"),
        pytest.param(
            [slot("p", instance="i-9")], {"h1": host("i-1")}, {}, {}, ["h1"], id="none that another instance has"
        ),
        pytest.param(
            [slot("p-2"), slot("p")],
            {"h2": host("i-2"), "h1": host("i-1")},
            {},
            {"h1": "p", "h2": "p-2"},
            [],
            id="in the order of names",
        ),
        pytest.param(
            [slot("p", instance="i-2"), slot("p-2")],
            {"h1": host("i-1"), "h2": host("i-2"), "h3": host("i-3")},
            {"h2": "p"},
            {"h1": "p-2"},
            ["h3"],
            id="one host too many",
        ),
    ],
)
def test_who_has_which(slots: list[Any], hosts: Any, held: Any, given: Any, lacking: Any) -> None:
    found = decide(slots, hosts)
    assert ({h: s["name"] for h, s in found[0].items()}, {h: s["name"] for h, s in found[1].items()}, found[2]) == (
        held,
        given,
        lacking,
    )


def test_a_source_is_an_address_on_a_hosts_interface() -> None:
    tags = [{"Key": "Name", "Value": "mail-a"}, {"Key": "Ehlo", "Value": "mail-a.x.test"}]
    there = {"NetworkInterfaceId": "eni-p", "PrivateIpAddress": "10.0.1.0", "PublicIp": "203.0.113.9", "Tags": tags}
    elsewhere = there | {"NetworkInterfaceId": "eni-q"}
    nowhere = {"PublicIp": "203.0.113.8", "Tags": tags}
    hosts = {"h1": host("i-1")}
    assert sources_of({"h1": slot("p")}, [elsewhere, nowhere, there], hosts) == [
        {
            "name": "mail-a",
            "zone": "a",
            "address": "10.0.1.0",
            "public": "203.0.113.9",
            "ehlo": "mail-a.x.test",
            "proxy": "10.0.0.1",
        }
    ]
    with pytest.raises(ValueError, match=r"203\.0\.113\.9 has no tag Ehlo"):
        sources_of({"h1": slot("p")}, [there | {"Tags": []}], hosts)


class Done(Exception):
    """The module's answer."""


class Module:
    """What `run` needs of AnsibleModule."""

    def __init__(self, hosts: dict[str, str], *, attach: bool = True, check_mode: bool = False) -> None:
        self.check_mode = check_mode
        named = {"region": "us-east-1", "environment": "uat", "project": "postroad"}
        self.params = {**named, "hosts": hosts, "attach": attach, "timeout": 10}

    def exit_json(self, **answer: Any) -> None:
        raise Done(answer)

    def fail_json(self, **answer: Any) -> None:
        raise Done({"failed": True, **answer})


def ask(*arguments: Any, **options: Any) -> dict[str, Any]:
    with pytest.raises(Done) as answer:
        sending_interfaces.run(Module(*arguments, **options))
    return dict(answer.value.args[0])


def tags(kind: str, **more: str) -> list[dict[str, Any]]:
    pairs = {"Project": "postroad", "Environment": "uat", "Tier": "proxy", **more}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


@pytest.fixture
def stack(aws: str) -> dict[str, str]:
    """A subnet with two instances and one slot that has two private addresses, an Elastic IP on the second."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.16.0/20", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]
    made = ec2.run_instances(ImageId=seed.BASE_AMI, MinCount=2, MaxCount=2, SubnetId=subnet)["Instances"]
    private = [{"PrivateIpAddress": f"10.20.24.{last}", "Primary": last == 0} for last in (0, 1)]
    eni = ec2.create_network_interface(
        SubnetId=subnet,
        PrivateIpAddresses=private,
        TagSpecifications=tags("network-interface", Purpose="sending", Name="proxy-a"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    address = ec2.allocate_address(
        Domain="vpc", TagSpecifications=tags("elastic-ip", Name="mail-a", Ehlo="mail-a.x.test")
    )
    ec2.associate_address(AllocationId=address["AllocationId"], NetworkInterfaceId=eni)
    return {
        "eni": eni,
        "public": address["PublicIp"],
        **{f"h{number}": instance["InstanceId"] for number, instance in enumerate(made)},
    }


def test_a_replacement_takes_the_interface_with_its_addresses(stack: dict[str, str]) -> None:
    first, second = {"proxy-a-1": stack["h0"]}, {"proxy-a-2": stack["h1"]}
    assert ask(first, check_mode=True)["attached"] == {"proxy-a-1": stack["eni"]}
    assert ask(first, attach=False)["hosts"] == {}
    said = ask(first)
    assert said["changed"]
    assert said["hosts"]["proxy-a-1"]["slot"] == "proxy-a"
    assert said["hosts"]["proxy-a-1"]["gateway"] == "10.20.16.1"
    assert said["hosts"]["proxy-a-1"]["addresses"] == ["10.20.24.0", "10.20.24.1"]
    (source,) = said["sources"]
    assert (source["name"], source["public"], source["ehlo"]) == ("mail-a", stack["public"], "mail-a.x.test")
    again = ask(first)
    assert (again["changed"], again["hosts"], again["sources"]) == (False, said["hosts"], said["sources"])

    refused = ask(second)
    assert refused["failed"]
    assert "proxy-a-2: no free sending interface" in refused["msg"]
    assert "pulumi up" in refused["msg"]

    ec2 = boto3.client("ec2")
    attachment = ec2.describe_network_interfaces(NetworkInterfaceIds=[stack["eni"]])["NetworkInterfaces"][0]
    ec2.detach_network_interface(AttachmentId=attachment["Attachment"]["AttachmentId"])
    moved = ask(second)
    assert moved["sources"][0]["public"] == stack["public"]
    assert moved["sources"][0]["proxy"] != source["proxy"]


def test_a_stack_without_proxies_has_no_sources(aws: str) -> None:
    assert ask({}) == {"changed": False, "hosts": {}, "sources": [], "attached": {}}

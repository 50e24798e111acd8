"""The inventory is what EC2 runs: the same groups on every stack, readable names that don't repeat."""

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from postroad_region.api import seed

ANSIBLE = Path(__file__).parents[2] / "ansible"


def launch(tier: str, zone: str, environment: str = "local") -> str:
    tags = {"Project": "postroad", "Environment": environment, "Tier": tier, "Name": f"{tier}-{zone[-1]}"}
    ec2 = boto3.client("ec2")
    here = [{"Name": "availability-zone", "Values": [zone]}]
    started = ec2.run_instances(
        ImageId=seed.BASE_AMI,
        MinCount=1,
        MaxCount=1,
        SubnetId=ec2.describe_subnets(Filters=here)["Subnets"][0]["SubnetId"],
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return started["Instances"][0]["InstanceId"]


def listed(stack: str) -> dict[str, Any]:
    command = ["ansible-inventory", "-i", f"inventories/{stack}", "--list"]
    return json.loads(subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("stack", ["local", "uat", "staging", "production"])
def test_hosts_are_grouped_by_tier_and_zone(aws: str, stack: str) -> None:
    ids = {
        (tier, zone): launch(tier, zone, stack)
        for tier in ("resolver", "mta", "proxy")
        for zone in ("us-east-1a", "us-east-1b")
    }
    launch("mta", "us-east-1a", "another")
    name = {place: f"{place[0]}-{place[1][-1]}-{instance[-5:]}" for place, instance in ids.items()}
    inventory = listed(stack)
    groups = {group: sorted(content["hosts"]) for group, content in inventory.items() if "hosts" in content}
    groups.pop("aws_ec2", None)
    assert groups == {
        **{
            tier: sorted(name[tier, zone] for zone in ("us-east-1a", "us-east-1b"))
            for tier in ("resolver", "mta", "proxy")
        },
        **{
            f"zone_us_east_1{letter}": sorted(name[t, f"us-east-1{letter}"] for t in ("resolver", "mta", "proxy"))
            for letter in "ab"
        },
    }


def test_a_host_knows_its_address_zone_and_instance(aws: str) -> None:
    instance = launch("mta", "us-east-1a")
    host = listed("local")["_meta"]["hostvars"][f"mta-a-{instance[-5:]}"]
    plain = {key: value.get("__ansible_unsafe") if isinstance(value, dict) else value for key, value in host.items()}
    assert (plain["instance_id"], plain["zone"], plain["zone_group"]) == (instance, "us-east-1a", "zone_us_east_1a")
    assert plain["ansible_host"] == plain["private_address"]
    assert plain["ansible_python_interpreter"] == "/usr/bin/python3"
    assert "StrictHostKeyChecking=yes" in plain["ansible_ssh_common_args"]


def test_a_terminated_instance_is_gone(aws: str) -> None:
    boto3.client("ec2").terminate_instances(InstanceIds=[launch("mta", "us-east-1a")])
    assert "mta" not in listed("local")

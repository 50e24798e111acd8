"""Mail through every tier: all of it, none twice, and the provider's own count agrees."""

import json

from postroad_ops import hosts
from postroad_ops.command import Operator

COUNT = 10_000


def test_ten_thousand_messages_arrive_once(operator: Operator) -> None:
    report = json.loads(operator("send", "--count", str(COUNT), "--json").stdout)
    assert report["accepted"] == COUNT
    assert report["delivered"] == COUNT
    assert report["twice"] == 0
    assert report["counted"] == COUNT


def test_mail_leaves_from_the_elastic_addresses_alone(operator: Operator) -> None:
    allocated = {a["PublicIp"] for a in hosts.client("ec2", "local").describe_addresses()["Addresses"]}
    report = json.loads(operator("send", "--count", "300", "--json").stdout)
    assert set(report["by_source"]) == allocated
    assert len(allocated) == 2 * len([h for h in hosts.of_stack("local", ask=False) if h.tier == "proxy"])

"""MTAs believe PROXY headers from the subnets that the front door is in, and from no others."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml
from postroad_infra.address_plan import AddressPlan, SubnetKind

ROOT = Path(__file__).parents[2]


def mapping(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / path).read_text()))


@pytest.mark.parametrize("stack", ["local", "uat", "staging", "production"])
def test_they_are_the_public_subnets_of_the_stacks_zones(stack: str) -> None:
    inventory = mapping(f"ansible/inventories/{stack}/group_vars/all.yml")
    zones = mapping(f"pulumi/mail/Pulumi.{stack}.yaml")["config"]["mail:settings"]["zones"]
    plan = AddressPlan(IPv4Network(inventory["mail_network"]))
    public = [str(plan.subnet(SubnetKind.PUBLIC, zone).cidr) for zone in zones]
    assert inventory["front_door_networks"] == public


def test_the_mta_gets_them() -> None:
    assert mapping("ansible/playbooks/group_vars/mta.yml")["mta_proxy_from"] == "{{ front_door_networks }}"

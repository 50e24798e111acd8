#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""The interfaces that proxies send from: each proxy takes one of its zone, and keeps it for as long as it lives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sending_interfaces
short_description: Attach sending interfaces to proxies, and say which address is where
description:
  - A stack's sending addresses are Elastic IPs on network interfaces with the tags Tier=proxy and Purpose=sending.
  - Each proxy gets a free one of its zone as its second interface; one that it has it keeps.
author: Postroad
options:
  region:
    description: The AWS region.
    type: str
    required: true
  environment:
    description: The interfaces' tag Environment.
    type: str
    required: true
  project:
    description: The interfaces' tag Project.
    type: str
    default: postroad
  hosts:
    description: The proxies' instance ids by the inventory's names.
    type: dict
    required: true
  attach:
    description: Attach what is free to those that have none. Without it the module only looks.
    type: bool
    default: false
  timeout:
    description: Seconds that an attachment may take.
    type: int
    default: 60
"""
EXAMPLES = r"""
- name: Give each proxy its addresses
  sending_interfaces:
    region: us-east-1
    environment: local
    attach: true
    hosts:
      proxy-a-1f2e3: i-0a1b2c3d4e5f60718
  delegate_to: localhost
"""
RETURN = r"""
hosts:
  description: >-
    Of each proxy that has an interface: C(slot), C(interface), C(mac), C(gateway) of its subnet, and C(addresses), the
    private ones that it holds.
  type: dict
  returned: always
sources:
  description: >-
    Every sending address that is on a proxy: C(name), C(zone), C(address) (the private one that is bound), C(public),
    C(ehlo), and C(proxy), the address of the proxy that has it.
  type: list
  returned: always
attached:
  description: Interfaces that were attached, by host.
  type: dict
  returned: always
"""

import ipaddress
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # reported by the module
    boto3 = None

# The first interface is the host's own.
DEVICE_INDEX = 1


def tags_of(item: dict[str, Any], key: str) -> dict[str, str]:
    """The tags of an AWS item as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in item.get(key) or []}


def decide(
    slots: list[dict[str, Any]], hosts: dict[str, dict[str, str]]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]], list[str]]:
    """Which slot each host has, which it shall get, and which hosts get none.

    Args:
        slots: each with `name`, `zone` and `instance`, which is empty where nothing has it.
        hosts: each with `instance` and `zone`.
    """
    owners = {slot["instance"]: slot for slot in slots if slot["instance"]}
    held = {name: owners[host["instance"]] for name, host in hosts.items() if host["instance"] in owners}
    free = sorted((slot for slot in slots if not slot["instance"]), key=lambda slot: str(slot["name"]))
    given: dict[str, dict[str, Any]] = {}
    lacking = []
    for name, host in sorted(hosts.items()):
        if name in held:
            continue
        slot = next((slot for slot in free if slot["zone"] == host["zone"]), None)
        if slot is None:
            lacking.append(name)
        else:
            free.remove(slot)
            given[name] = slot
    return held, given, lacking


def sources_of(
    slots: dict[str, dict[str, Any]], addresses: list[dict[str, Any]], hosts: dict[str, dict[str, str]]
) -> list[dict[str, str]]:
    """Every sending address that is on a host's slot, in the order of names.

    Raises:
        ValueError: an address doesn't say its EHLO name.
    """
    by_interface = {slot["interface"]: name for name, slot in slots.items()}
    sources = []
    for address in addresses:
        host = by_interface.get(address.get("NetworkInterfaceId", ""))
        if host is None:
            continue
        tags = tags_of(address, "Tags")
        if not tags.get("Ehlo"):
            raise ValueError(f"{address['PublicIp']} has no tag Ehlo: run `pulumi up` in pulumi/mail")
        sources.append(
            {
                "name": tags.get("Name", tags["Ehlo"]),
                "zone": hosts[host]["zone"],
                "address": address["PrivateIpAddress"],
                "public": address["PublicIp"],
                "ehlo": tags["Ehlo"],
                "proxy": hosts[host]["address"],
            }
        )
    return sorted(sources, key=lambda source: source["name"])


def described(client: Any, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stack's slots."""
    pages = client.get_paginator("describe_network_interfaces").paginate(
        Filters=[*filters, {"Name": "tag:Purpose", "Values": ["sending"]}]
    )
    interfaces = [interface for page in pages for interface in page["NetworkInterfaces"]]
    subnets = sorted({interface["SubnetId"] for interface in interfaces})
    found = client.describe_subnets(SubnetIds=subnets)["Subnets"] if subnets else []
    networks = {subnet["SubnetId"]: ipaddress.IPv4Network(subnet["CidrBlock"]) for subnet in found}
    return [
        {
            "name": tags_of(interface, "TagSet").get("Name", interface["NetworkInterfaceId"]),
            "zone": interface["AvailabilityZone"],
            "interface": interface["NetworkInterfaceId"],
            "instance": (interface.get("Attachment") or {}).get("InstanceId", ""),
            "mac": interface["MacAddress"],
            # The subnet's router: its base address plus 1.
            "gateway": str(networks[interface["SubnetId"]][1]),
            "addresses": [item["PrivateIpAddress"] for item in interface["PrivateIpAddresses"]],
        }
        for interface in interfaces
    ]


def located(client: Any, hosts: dict[str, str]) -> dict[str, dict[str, str]]:
    """The hosts with their instance, zone and own private address."""
    pages = client.get_paginator("describe_instances").paginate(InstanceIds=sorted(hosts.values())) if hosts else []
    found = {
        instance["InstanceId"]: instance
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    }
    return {
        name: {
            "instance": instance,
            "zone": found[instance]["Placement"]["AvailabilityZone"],
            "address": found[instance]["PrivateIpAddress"],
        }
        for name, instance in hosts.items()
    }


def attach(client: Any, given: dict[str, dict[str, Any]], hosts: dict[str, dict[str, str]], timeout: float) -> None:
    """Attach, and wait until EC2 says that it is done.

    Raises:
        TimeoutError: it isn't within `timeout` seconds.
    """
    for name, slot in given.items():
        client.attach_network_interface(
            NetworkInterfaceId=slot["interface"], InstanceId=hosts[name]["instance"], DeviceIndex=DEVICE_INDEX
        )
    end = time.monotonic() + timeout
    pending = sorted(slot["interface"] for slot in given.values())
    while pending:
        found = client.describe_network_interfaces(NetworkInterfaceIds=pending)["NetworkInterfaces"]
        pending = [i["NetworkInterfaceId"] for i in found if (i.get("Attachment") or {}).get("Status") != "attached"]
        if pending and time.monotonic() > end:
            raise TimeoutError(f"{', '.join(pending)} aren't attached after {timeout:g} s")
        if pending:
            time.sleep(1)


def run(module: AnsibleModule) -> None:
    """Look, attach if asked to, and tell."""
    wanted = module.params
    client = boto3.client("ec2", region_name=wanted["region"])
    hosts = located(client, wanted["hosts"])
    tags = {"Project": wanted["project"], "Environment": wanted["environment"], "Tier": "proxy"}
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    held, given, lacking = decide(described(client, filters), hosts)
    if wanted["attach"] and lacking:
        name = lacking[0]
        module.fail_json(
            msg=f"{', '.join(lacking)}: no free sending interface (tags Environment={wanted['environment']}, "
            f"Purpose=sending) in {hosts[name]['zone']}: run `pulumi up` in pulumi/mail, or wait until EC2 lets go of "
            "those of hosts that are gone"
        )
    if not wanted["attach"]:
        given = {}
    elif not module.check_mode:
        attach(client, given, hosts, wanted["timeout"])
    slots = held if module.check_mode else held | given
    sources = sources_of(slots, client.describe_addresses(Filters=filters)["Addresses"], hosts)
    shown = ("slot", "interface", "mac", "gateway", "addresses")
    module.exit_json(
        changed=bool(given),
        hosts={name: {key: (slot | {"slot": slot["name"]})[key] for key in shown} for name, slot in slots.items()},
        sources=sources,
        attached={name: slot["interface"] for name, slot in given.items()},
    )


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "project": {"type": "str", "default": "postroad"},
            "hosts": {"type": "dict", "required": True},
            "attach": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if boto3 is None:
        module.fail_json(msg="sending_interfaces needs boto3 in the controller's Python: run `make env`")
    try:
        run(module)
    except (BotoCoreError, ClientError, TimeoutError, ValueError) as error:
        module.fail_json(msg=f"can't arrange the sending interfaces of {module.params['environment']}: {error}")


if __name__ == "__main__":
    main()

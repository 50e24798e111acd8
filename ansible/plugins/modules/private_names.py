#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""The hosts' names in the stack's private zone: what runs has a name, what is gone has none."""

from __future__ import annotations

DOCUMENTATION = r"""
module: private_names
short_description: Names of the stack's hosts in its private hosted zone
description:
  - Writes an address record for each name, and removes those of hosts that are no more,
    in as few calls as Route 53 allows.
  - Only records whose first label matches O(owned) are ever removed; what others keep in the zone stays.
author: Postroad
options:
  zone:
    description: The private hosted zone's name.
    type: str
    required: true
  vpc:
    description: A VPC that the zone is associated with; tells it from another stack's zone of the same name.
    type: str
    required: true
  region:
    description: The region of the VPC.
    type: str
    required: true
  hosts:
    description: Private addresses by the inventory's names. C(mta-a-1f2e3) gets that name and a share of C(mta-a).
    type: dict
    required: true
  owned:
    description: A regular expression for the first label of names that this module may remove.
    type: str
    default: (mta|proxy|resolver)-[a-z](-[0-9a-z]+)?
  ttl:
    description: Seconds that an answer may be kept.
    type: int
    default: 30
"""
EXAMPLES = r"""
- name: Name the hosts
  private_names:
    zone: postroad.internal
    vpc: vpc-0a1b2c3d
    region: us-east-1
    hosts:
      mta-a-1f2e3: 10.20.0.5
      mta-a-9b4f7: 10.20.0.9
  delegate_to: localhost
"""
RETURN = r"""
written:
  description: Names whose record was written.
  type: list
  returned: always
removed:
  description: Names whose record was removed.
  type: list
  returned: always
"""

import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # reported by the module
    boto3 = None

# Route 53 takes up to 1,000 records a call, and counts an UPSERT twice (ChangeResourceRecordSets, API reference).
CHANGES_A_CALL = 500


def names_of(hosts: dict[str, str]) -> dict[str, list[str]]:
    """Addresses by name: each host's own, and that of its tier in its zone for all of them."""
    names: dict[str, list[str]] = {}
    for host, address in hosts.items():
        for name in {host, host.rpartition("-")[0] or host}:
            names.setdefault(name, []).append(address)
    return names


def decide(
    names: dict[str, list[str]], present: dict[str, tuple[int, list[str]]], *, owned: str, ttl: int
) -> tuple[list[str], list[str]]:
    """Names to write and to remove, both sorted; names are without the zone, `present` maps to TTL and addresses."""
    write = [name for name, addresses in names.items() if present.get(name) != (ttl, sorted(addresses))]
    remove = [name for name in present if name not in names and re.fullmatch(owned, name)]
    return sorted(write), sorted(remove)


def record_set(name: str, zone: str, ttl: int, addresses: list[str]) -> dict[str, Any]:
    """An A record as Route 53 takes it."""
    values = [{"Value": address} for address in sorted(addresses)]
    return {"Name": f"{name}.{zone}.", "Type": "A", "TTL": ttl, "ResourceRecords": values}


def zone_id(client: Any, zone: str, vpc: str, region: str) -> str | None:
    """The id of the hosted zone of this name that the VPC sees; None where there is none."""
    pages = client.get_paginator("list_hosted_zones").paginate()
    for found in (entry for page in pages for entry in page["HostedZones"]):
        if found["Name"].rstrip(".") == zone and found["Config"].get("PrivateZone"):
            seen_by = client.get_hosted_zone(Id=found["Id"]).get("VPCs", [])
            if {"VPCRegion": region, "VPCId": vpc} in seen_by:
                return str(found["Id"])
    return None


def run(module: AnsibleModule) -> None:
    """Make the zone say what runs."""
    wanted = module.params
    zone, names = wanted["zone"].rstrip("."), names_of(wanted["hosts"])
    client = boto3.client("route53", region_name=wanted["region"])
    identifier = zone_id(client, zone, wanted["vpc"], wanted["region"])
    if identifier is None:
        module.fail_json(
            msg=f"{wanted['vpc']} sees no private hosted zone {zone}; make it with `pulumi up` in pulumi/dns"
        )
    present: dict[str, tuple[int, list[str]]] = {}
    for page in client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=identifier):
        for found in page["ResourceRecordSets"]:
            if found["Type"] == "A" and "ResourceRecords" in found:
                name = found["Name"].rstrip(".").removesuffix(f".{zone}")
                present[name] = (found["TTL"], sorted(value["Value"] for value in found["ResourceRecords"]))
    write, remove = decide(names, present, owned=wanted["owned"], ttl=wanted["ttl"])
    changes = [("UPSERT", record_set(name, zone, wanted["ttl"], names[name])) for name in write]
    changes += [("DELETE", record_set(name, zone, *present[name])) for name in remove]
    if not module.check_mode:
        for start in range(0, len(changes), CHANGES_A_CALL):
            batch = [{"Action": a, "ResourceRecordSet": r} for a, r in changes[start : start + CHANGES_A_CALL]]
            client.change_resource_record_sets(HostedZoneId=identifier, ChangeBatch={"Changes": batch})
    module.exit_json(changed=bool(changes), written=write, removed=remove)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "zone": {"type": "str", "required": True},
            "vpc": {"type": "str", "required": True},
            "region": {"type": "str", "required": True},
            "hosts": {"type": "dict", "required": True},
            "owned": {"type": "str", "default": "(mta|proxy|resolver)-[a-z](-[0-9a-z]+)?"},
            "ttl": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    if boto3 is None:
        module.fail_json(msg="private_names needs boto3 in the controller's Python: run `make env`")
    try:
        run(module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json(msg=f"can't write names into {module.params['zone']}: {error}")


if __name__ == "__main__":
    main()

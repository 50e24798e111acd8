"""Hosts and zones as people name them, asked of the region's API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from postroad_region.errors import RegionError

# As many characters of the instance id as the inventory's names end with.
SUFFIX = 5


@dataclass(frozen=True, slots=True)
class HostName:
    """An instance with its names and what is attached to it.

    Args:
        tag: its Name tag; empty where it has none.
    """

    instance_id: str
    tag: str
    zone: str
    addresses: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def inventory_name(self) -> str:
        """`mta-a-1f2e3`, as the Ansible inventory has it."""
        return f"{self.tag}-{self.instance_id[-SUFFIX:]}" if self.tag else self.instance_id


def find_host(wanted: str, hosts: Sequence[HostName]) -> HostName:
    """The host of an instance id, an inventory name, or a Name tag that only one has.

    Raises:
        RegionError: none or several; it says which there are.
    """
    named = [host for host in hosts if wanted in (host.instance_id, host.inventory_name)]
    tagged = [host for host in hosts if wanted and host.tag == wanted]
    found = named or tagged
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(host.inventory_name for host in found))
        raise RegionError(f"{len(found)} hosts are named {wanted!r}", remedy=f"name one: {names}")
    tags = Counter(host.tag for host in hosts)
    names = ", ".join(sorted(host.tag if tags[host.tag] == 1 and host.tag else host.inventory_name for host in hosts))
    raise RegionError(f"there is no host {wanted!r}", remedy=f"there are: {names}" if names else "no host runs")


def find_zone(wanted: str, zones: Iterable[str]) -> str:
    """The zone of a name (`us-east-1a`) or a letter.

    Raises:
        RegionError: there is none; it says which there are.
    """
    listed = sorted(set(zones))
    for zone in listed:
        if wanted == zone or (len(wanted) == 1 and zone.endswith(wanted)):
            return zone
    names = ", ".join(zone[-1] for zone in listed)
    raise RegionError(
        f"there is no zone {wanted!r}", remedy=f"there are: {names}" if names else "no subnet is in any zone"
    )


class Inventory:
    """What the API says that exists."""

    def __init__(self, url: str) -> None:
        # Only here: importing them takes longer than all else that the command does.
        import boto3
        from botocore.config import Config

        self._ec2: Any = boto3.client(
            "ec2",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="postroad",
            aws_secret_access_key="postroad",  # noqa: S106 - the box takes any
            config=Config(connect_timeout=3, read_timeout=15, retries={"total_max_attempts": 2}),
        )

    def hosts(self) -> list[HostName]:
        """Instances that aren't terminated.

        Raises:
            RegionError: the API doesn't answer.
        """
        states = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
        pages = self._ask("describe_instances", Filters=[states])
        return [
            _host(instance)
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    def zones(self) -> list[str]:
        """The zones that have subnets.

        Raises:
            RegionError: the API doesn't answer.
        """
        return [str(subnet["AvailabilityZone"]) for page in self._ask("describe_subnets") for subnet in page["Subnets"]]

    def _ask(self, operation: str, **parameters: Any) -> list[dict[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return list(self._ec2.get_paginator(operation).paginate(**parameters))
        except (BotoCoreError, ClientError) as error:
            raise RegionError(f"the region's API doesn't answer: {error}", remedy="run: make up") from None


def _host(instance: dict[str, Any]) -> HostName:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return HostName(
        instance_id=instance["InstanceId"],
        tag=tags.get("Name", ""),
        zone=instance["Placement"]["AvailabilityZone"],
        addresses=tuple(
            address["PrivateIpAddress"]
            for interface in instance.get("NetworkInterfaces", [])
            for address in interface["PrivateIpAddresses"]
        ),
        volumes=tuple(
            mapping["Ebs"]["VolumeId"]
            for mapping in instance.get("BlockDeviceMappings", [])
            if mapping["DeviceName"] != instance.get("RootDeviceName")
        ),
    )

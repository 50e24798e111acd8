"""What a part of the campaign is, and where it happens."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from postroad_ops import hosts

NAME = "campaign"
TAGS = [{"Key": "Project", "Value": "postroad"}, {"Key": "Environment", "Value": NAME}]
MINE = [{"Name": "tag:Environment", "Values": [NAME]}]


class Part(Protocol):
    """One noun: what can be done with it, and how the machine is compared with the API.

    An operation may be cut short anywhere and go wrong with any answer of AWS's; the next one takes up what it left.
    """

    operations: Sequence[Callable[[], None]]

    def disagreements(self) -> list[str]:
        """Where the machine isn't what the API says, seen past the daemon."""

    def tidy(self) -> None:
        """Leave the region as it was."""


@dataclass(frozen=True)
class Place:
    """Where the campaign happens: beside an MTA of stack `local`, whose instance `model` describes."""

    chance: random.Random
    model: dict[str, Any]

    @property
    def zone(self) -> str:
        return str(self.model["Placement"]["AvailabilityZone"])

    def launch(self) -> str:
        """Launch an instance like the model, without a spool."""
        made = client("ec2").run_instances(
            ImageId=self.model["ImageId"],
            InstanceType=self.model["InstanceType"],
            SubnetId=self.model["SubnetId"],
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": TAGS}],
        )
        return str(made["Instances"][0]["InstanceId"])

    def attach_a_volume(self, instance: str) -> None:
        """Make the campaign's volume anew and attach it."""
        drop_volumes()
        tags = [{"ResourceType": "volume", "Tags": TAGS}]
        made = client("ec2").create_volume(AvailabilityZone=self.zone, Size=1, TagSpecifications=tags)
        client("ec2").attach_volume(VolumeId=made["VolumeId"], InstanceId=instance, Device="/dev/sdx")


def place(chance: random.Random) -> Place:
    """Beside the first MTA."""
    model = next(host for host in hosts.of_stack("local", ask=False) if host.tier == "mta")
    described = client("ec2").describe_instances(InstanceIds=[model.instance])["Reservations"][0]["Instances"][0]
    return Place(chance, described)


def client(service: str) -> Any:
    """A client for the region."""
    return hosts.client(service, "local")


def instances() -> list[str]:
    """The campaign's instances that run, those of its group too."""
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    found = client("ec2").describe_instances(Filters=[*MINE, *running])["Reservations"]
    return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]


def drop_volumes() -> None:
    """Detach and delete the campaign's volumes, those too that an operation cut short has left."""
    ec2 = client("ec2")
    for volume in ec2.describe_volumes(Filters=MINE)["Volumes"]:
        if volume["Attachments"]:
            ec2.detach_volume(VolumeId=volume["VolumeId"], Force=True)
        ec2.delete_volume(VolumeId=volume["VolumeId"])

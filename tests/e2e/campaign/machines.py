"""Instances, their volumes, and images made from them."""

from typing import Any

from postroad_region.hypervisor import hosts as containers
from postroad_region.hypervisor import images
from postroad_region.paths import paths

from tests.e2e.campaign.part import MINE, TAGS, Place, client, drop_volumes, instances

MOST_INSTANCES = 3


class Machines:
    """Launch, terminate, attach, detach, make an image."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ec2 = client("ec2")
        self.operations = [self.launch, self.terminate, self.attach_and_detach_a_volume, self.make_and_drop_an_image]

    def launch(self) -> None:
        if len(instances()) < MOST_INSTANCES:
            self._place.launch()

    def terminate(self) -> None:
        if mine := instances():
            self._ec2.terminate_instances(InstanceIds=[self._place.chance.choice(mine)])

    def attach_and_detach_a_volume(self) -> None:
        instance = (instances() or [self._place.launch()])[0]
        self._place.attach_a_volume(instance)
        drop_volumes()

    def make_and_drop_an_image(self) -> None:
        self._drop_images()
        instance = (instances() or [self._place.launch()])[0]
        tags = [{"ResourceType": kind, "Tags": TAGS} for kind in ("image", "snapshot")]
        reboot = self._place.chance.random() < 0.5
        name = f"campaign-{self._place.chance.randrange(10**9)}"
        self._ec2.create_image(InstanceId=instance, Name=name, NoReboot=not reboot, TagSpecifications=tags)

    def disagreements(self) -> list[str]:
        described: dict[str, Any] = {
            instance["InstanceId"]: instance
            for reservation in self._ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"
        }
        states = self._ec2.describe_instance_status()["InstanceStatuses"]
        dead = {each["InstanceId"] for each in states if each["InstanceStatus"]["Status"] == "impaired"}
        running = {host.instance_id: host for host in containers.all_hosts().values() if host.running}
        wrong = [f"{name} isn't on both sides" for name in sorted((set(described) - dead) ^ set(running))]
        for name, instance in described.items():
            wanted = {
                mapping["Ebs"]["VolumeId"]
                for mapping in instance["BlockDeviceMappings"]
                if mapping["DeviceName"] != instance["RootDeviceName"]
            }
            folder = paths().instances / name / "ebs"
            shown = {each.name for each in folder.iterdir() if each.is_mount()} if folder.exists() else set()
            if name in running and shown != wanted:
                wrong.append(f"{name} shows volumes {sorted(shown)}, not {sorted(wanted)}")
        return wrong + self._wrong_images({str(instance["ImageId"]) for instance in described.values()})

    def _wrong_images(self, used: set[str]) -> list[str]:
        found = self._ec2.describe_images(Owners=["self"], Filters=MINE)["Images"]
        listed = {image["ImageId"]: image["State"] for image in found}
        made = {ami for ami, *_ in images.made().values()}
        wrong = [f"image {ami} is pending" for ami, state in listed.items() if state == "pending"]
        available = {ami for ami, state in listed.items() if state == "available"}
        return wrong + [f"image {ami} isn't on both sides" for ami in sorted((available ^ made) - used)]

    def _drop_images(self) -> None:
        for image in self._ec2.describe_images(Owners=["self"], Filters=MINE)["Images"]:
            self._ec2.deregister_image(ImageId=image["ImageId"])
        for snapshot in self._ec2.describe_snapshots(Filters=MINE)["Snapshots"]:
            self._ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])

    def tidy(self) -> None:
        self._drop_images()
        if mine := instances():
            self._ec2.terminate_instances(InstanceIds=mine)
        drop_volumes()

"""The daemon is killed at a random moment of a random operation, again and again: each time the machine becomes what
the API says.

`POSTROAD_KILLS` says how often (`make soak`: 100), `POSTROAD_SEED` repeats a run.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from postroad_ops import hosts
from postroad_ops.command import Operator
from postroad_region import addresses, daemon
from postroad_region.hypervisor import hosts as containers

KILLS = int(os.environ.get("POSTROAD_KILLS", "8"))
SEED = int(os.environ.get("POSTROAD_SEED", str(time.time_ns() % 1_000_000)))
CAMPAIGN = [{"Key": "Project", "Value": "postroad"}, {"Key": "Environment", "Value": "campaign"}]
SETTLE_SECONDS = 90
MOST_INSTANCES = 3


class Campaign:
    """What the operations make, and how they are checked against the machine."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.ec2 = hosts.client("ec2", "local")
        self.route53 = hosts.client("route53", "local")
        model = next(host for host in hosts.of_stack("local", ask=False) if host.tier == "mta")
        described = self.ec2.describe_instances(InstanceIds=[model.instance])["Reservations"][0]["Instances"][0]
        self.model: dict[str, Any] = described
        zones = self.route53.list_hosted_zones()["HostedZones"]
        self.zone = next(zone["Id"] for zone in zones if not zone["Config"].get("PrivateZone"))
        self.domain = next(zone["Name"] for zone in zones if zone["Id"] == self.zone)
        self.operations: list[Callable[[], None]] = [
            self.launch, self.terminate, self.open_and_close_a_port, self.attach_and_detach_a_volume,
            self.move_an_address, self.change_a_record, self.change_an_acl,
        ]  # fmt: skip

    def instances(self) -> list[str]:
        filters = [
            {"Name": "tag:Environment", "Values": ["campaign"]},
            {"Name": "instance-state-name", "Values": ["pending", "running"]},
        ]
        found = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]

    def launch(self) -> None:
        if len(self.instances()) >= MOST_INSTANCES:
            return
        self.ec2.run_instances(
            ImageId=self.model["ImageId"],
            InstanceType=self.model["InstanceType"],
            SubnetId=self.model["SubnetId"],
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": CAMPAIGN}],
        )

    def terminate(self) -> None:
        if mine := self.instances():
            self.ec2.terminate_instances(InstanceIds=[self.chance.choice(mine)])

    def open_and_close_a_port(self) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "10.20.255.0/24"}]}
        group = self.model["SecurityGroups"][0]["GroupId"]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def attach_and_detach_a_volume(self) -> None:
        if not (mine := self.instances()):
            return
        zone = self.model["Placement"]["AvailabilityZone"]
        tags = [{"ResourceType": "volume", "Tags": CAMPAIGN}]
        volume = self.ec2.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=tags)["VolumeId"]
        self.ec2.attach_volume(VolumeId=volume, InstanceId=mine[0], Device="/dev/sdx")
        self.ec2.detach_volume(VolumeId=volume, Force=True)
        self.ec2.delete_volume(VolumeId=volume)

    def move_an_address(self) -> None:
        tags = [{"ResourceType": "elastic-ip", "Tags": CAMPAIGN}]
        allocation = self.ec2.allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"]
        for instance in self.instances():
            self.ec2.associate_address(AllocationId=allocation, InstanceId=instance, AllowReassociation=True)
        self.tidy_addresses()

    def change_a_record(self) -> None:
        record = {
            "Name": f"campaign.{self.domain}",
            "Type": "A",
            "TTL": 1,
            "ResourceRecords": [{"Value": f"198.51.100.{self.chance.randrange(1, 250)}"}],
        }
        change = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch=change)

    def change_an_acl(self) -> None:
        acls = self.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.model["VpcId"]]}])
        acl = acls["NetworkAcls"][0]["NetworkAclId"]
        place = {"NetworkAclId": acl, "RuleNumber": 31000, "Egress": False}
        rule = {"Protocol": "6", "PortRange": {"From": 9, "To": 9}, "CidrBlock": "192.0.2.0/24", "RuleAction": "deny"}
        with suppress(ClientError):
            self.ec2.create_network_acl_entry(**place, **rule)
        self.ec2.delete_network_acl_entry(**place)

    def tidy_addresses(self) -> None:
        """Release what this or an interrupted operation has allocated."""
        filters = [{"Name": "tag:Environment", "Values": ["campaign"]}]
        for address in self.ec2.describe_addresses(Filters=filters)["Addresses"]:
            if "AssociationId" in address:
                self.ec2.disassociate_address(AssociationId=address["AssociationId"])
            self.ec2.release_address(AllocationId=address["AllocationId"])

    def tidy(self) -> None:
        """Leave the region as it was."""
        self.tidy_addresses()
        if mine := self.instances():
            self.ec2.terminate_instances(InstanceIds=mine)
        filters = [{"Name": "tag:Environment", "Values": ["campaign"]}]
        for volume in self.ec2.describe_volumes(Filters=filters)["Volumes"]:
            if volume["Attachments"]:
                self.ec2.detach_volume(VolumeId=volume["VolumeId"], Force=True)
            self.ec2.delete_volume(VolumeId=volume["VolumeId"])
        found = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        changes = [
            {"Action": "DELETE", "ResourceRecordSet": record}
            for record in found
            if record["Name"].startswith("campaign.")
        ]
        if changes:
            self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})

    def disagreements(self) -> list[str]:
        """Where the machine isn't what the API says, seen past the daemon."""
        said = daemon.status(timeout=5)
        if said is None or not said["settled"] or said["faults"]:
            return [f"the daemon says {said}"]
        states = [{"Name": "instance-state-name", "Values": ["running"]}]
        wanted = {
            instance["InstanceId"]: instance
            for reservation in self.ec2.describe_instances(Filters=states)["Reservations"]
            for instance in reservation["Instances"]
        }
        present = {host.instance_id for host in containers.all_hosts().values() if host.running}
        wrong = [f"{name} isn't on both sides" for name in sorted(set(wanted) ^ present)]
        rules = subprocess.run(
            ["ip", "netns", "exec", addresses.FABRIC, "nft", "list", "ruleset"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for address in self.ec2.describe_addresses()["Addresses"]:
            if "PrivateIpAddress" in address and address["PublicIp"] not in rules:
                wrong.append(f"{address['PublicIp']} leads nowhere")
        for record in self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]:
            if record["Name"].startswith("campaign."):
                told = self._served(record["Name"])
                if told != record["ResourceRecords"][0]["Value"]:
                    wrong.append(f"{record['Name']} answers {told}")
        return wrong

    def _served(self, name: str) -> str:
        dig = ["ip", "netns", "exec", addresses.INTERNET, "dig", "+short", "+norecurse", "+time=2", "+tries=1"]
        return subprocess.run(
            [*dig, "@198.51.100.53", name, "A"], capture_output=True, text=True, check=False
        ).stdout.strip()


def agreed(campaign: Campaign, round_: str) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    wrong = ["nobody was asked yet"]
    while wrong:
        assert time.monotonic() < deadline, f"{round_}: {wrong}"
        try:
            wrong = campaign.disagreements()
        except (BotoCoreError, ClientError, OSError) as error:
            wrong = [str(error)]
        if wrong:
            threading.Event().wait(0.2)


@pytest.fixture
def campaign() -> Any:
    made = Campaign(random.Random(SEED))
    yield made
    made.tidy()
    agreed(made, "tidied")


def test_after_every_kill_the_machine_is_what_the_api_says(operator: Operator, campaign: Campaign) -> None:
    print(f"seed {SEED}, {KILLS} kills")
    seconds: list[float] = []
    for number in range(KILLS):
        operation = campaign.chance.choice(campaign.operations)
        status = daemon.status()
        assert status
        victim, delay = int(status["pid"]), campaign.chance.uniform(0, 1.2)
        killer = threading.Timer(delay, os.kill, (victim, signal.SIGKILL))
        killer.start()
        # What a call has done whose answer never came is in the API: what counts is that the machine follows.
        with suppress(BotoCoreError, ClientError):
            operation()
        killer.join()
        killed = time.monotonic()
        agreed(campaign, f"seed {SEED}, kill {number} of {KILLS}, {delay:.2f} s into {operation.__name__}")
        seconds.append(round(time.monotonic() - killed, 2))
    if report_to := os.environ.get("POSTROAD_REPORT"):
        Path(report_to).write_text(json.dumps({"seed": SEED, "seconds": seconds}))
    report = json.loads(operator("send", "--count", "200", "--json").stdout)
    assert (report["accepted"], report["delivered"], report["twice"]) == (200, 200, 0)

"""Injected faults and limits, begun and taken back by commands; what one that was cut short leaves is in force."""

import json
import os
import subprocess

from postroad_ops import places
from postroad_region import addresses
from postroad_region.errors import RegionError
from postroad_region.fabric.cuts import TABLE as CUTS
from postroad_region.fabric.limits import TABLE as LIMITS
from postroad_region.faults import freezer
from postroad_region.faults.file import FaultsFile
from postroad_region.hypervisor import hosts as containers
from postroad_region.paths import paths

from tests.e2e.campaign.part import Place, client, drop_volumes, instances

# Not that of the model, whose hosts the other operations need.
ZONES = ("b", "c")
COMMAND_SECONDS = 60


def region(*arguments: str) -> None:
    """A command of the region's; it may fail, as the daemon may be killed under it."""
    command = [places.program("postroad-region"), *arguments]
    subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=False)


class Faults:
    """Faults come and go."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ec2 = client("ec2")
        self.operations = [
            self.limit_a_host,
            self.cut_zones_and_join_them,
            self.take_a_zone_down_and_up,
            self.freeze_and_thaw_a_host,
            self.fail_hardware_and_mend_it,
            self.fill_a_disk_and_empty_it,
        ]

    def _instance(self) -> str:
        return self._place.chance.choice(instances() or [self._place.launch()])

    def limit_a_host(self) -> None:
        instance = self._instance()
        region("limit", instance, "--resolver-pps", str(self._place.chance.randrange(100, 2000)))
        region("limit", instance, "--off")

    def cut_zones_and_join_them(self) -> None:
        region("partition", *ZONES)
        region("partition", *ZONES, "--off")

    def take_a_zone_down_and_up(self) -> None:
        zone = self._place.chance.choice(ZONES)
        region("zone", "down", zone)
        region("zone", "up", zone)

    def freeze_and_thaw_a_host(self) -> None:
        instance = self._instance()
        region("freeze", instance)
        region("thaw", instance)

    def fail_hardware_and_mend_it(self) -> None:
        instance = self._instance()
        region("kill", instance)
        region("kill", instance, "--off")

    def fill_a_disk_and_empty_it(self) -> None:
        instance = self._instance()
        self._place.attach_a_volume(instance)
        region("disk", instance, "--full")
        region("disk", instance, "--off")
        drop_volumes()

    def tidy(self) -> None:
        command = [places.program("postroad-region"), "faults", "--clear"]
        subprocess.run(command, capture_output=True, timeout=COMMAND_SECONDS, check=True)

    def disagreements(self) -> list[str]:
        wanted = FaultsFile(paths().faults).read()
        wrong = []
        down: set[str] = set().union(
            *(self._links({"availability-zone": zone}) for zone in wanted.zones_down),
            *(self._links({"attachment.instance-id": instance}) for instance in wanted.killed),
        )
        cut = bool(wanted.zones_down or wanted.partitions or wanted.killed)
        if cut != has_table(CUTS):
            wrong.append(f"table {CUTS} is {'missing' if cut else 'still there'}")
        elif cut and members(CUTS, "down") != down:
            wrong.append(f"links {sorted(members(CUTS, 'down') ^ down)} aren't cut on both sides")
        if bool(wanted.limits) != has_table(LIMITS):
            wrong.append(f"table {LIMITS} is {'missing' if wanted.limits else 'still there'}")
        running = {host.instance_id: host for host in containers.all_hosts().values() if host.running}
        wrong += [f"{name} runs on failed hardware" for name in wanted.killed & set(running)]
        for name, host in running.items():
            if frozen(host.pid) != (name in wanted.frozen):
                wrong.append(f"{name} is {'not ' if name in wanted.frozen else ''}frozen")
        for folder in paths().volumes.iterdir():
            if folder.is_mount() and full(str(folder)) != (folder.name in wanted.disks):
                wrong.append(f"{folder.name} is {'not ' if folder.name in wanted.disks else ''}full")
        return wrong

    def _links(self, filters: dict[str, str]) -> set[str]:
        """The fabric's ends of the interfaces that a filter finds, of what runs."""
        asked = [{"Name": name, "Values": [value]} for name, value in filters.items()]
        found = self._ec2.describe_network_interfaces(Filters=asked)["NetworkInterfaces"]
        return {"v" + each["NetworkInterfaceId"].removeprefix("eni-")[-13:] for each in found}


def frozen(pid: int) -> bool:
    """Whether a host stands still; one that has just ended doesn't."""
    try:
        return freezer.is_frozen(pid)
    except (RegionError, OSError):
        return False


def full(folder: str) -> bool:
    """Whether less than a page is free."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < 2 * 4096


def has_table(name: str) -> bool:
    """Whether the fabric has a table."""
    return nft("list", "table", "ip", name).returncode == 0


def members(table: str, name: str) -> set[str]:
    """The members of a set."""
    listed = json.loads(nft("-j", "list", "set", "ip", table, name).stdout or '{"nftables": []}')["nftables"]
    return {str(member) for each in listed for member in each.get("set", {}).get("elem", [])}


def nft(*arguments: str) -> subprocess.CompletedProcess[str]:
    """nft in the fabric."""
    command = ["ip", "netns", "exec", addresses.FABRIC, "nft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)

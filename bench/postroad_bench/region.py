"""Suite `region`: how fast the region in a box comes up, follows a change, and how much it takes of the machine.

It has no peer: nothing else runs these tiers on one machine.
"""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from postroad_ops import delivery, front_door, hosts, places
from postroad_ops.faults import OperationError
from postroad_region import daemon
from postroad_region.hypervisor import hosts as containers
from postroad_region.paths import paths

from postroad_bench import alarm_act, in_service, stacks
from postroad_bench.result import Case, median, percentile

FLEET = 24
SETTLE_SECONDS = 300.0
ZONE_RATE, ZONE_SECONDS = 200.0, 25.0
LAUNCHES = 20
TAGS = {"Project": "postroad", "Environment": "bench", "Tier": "mta", "Name": "bench"}


def measure(rounds: int, only: list[str]) -> Iterator[Case]:
    """The suite's cases, in an order in which each finds what it needs; the region is left up.

    Raises:
        OperationError: the region doesn't come up, or doesn't settle.
    """
    lives = cache(stacks.lives)
    cases: dict[str, Callable[[int], Case]] = {
        "pulumi-up-from-nothing": lambda count: median("pulumi-up-from-nothing", "s", [one.up for one in lives(count)]),
        "pulumi-up-again": lambda count: median("pulumi-up-again", "s", [one.again for one in lives(count)]),
        "pulumi-destroy": lambda count: _destroy(lives(count)),
        "up": _up,
        "up-again": _up_again,
        "reconcile": _reconcile,
        "instance-to-service-p95": _instance_to_service,
        "alarm-act": _alarm_act,
        "zone-down-recovery": _zone_down,
        "fleet-24-memory": _fleet,
    }
    for name, case in cases.items():
        if not only or name in only:
            yield case(rounds)


def _destroy(lives: Sequence[stacks.Life]) -> Case:
    """The command alone; the notes say what it left, and how long hosts outlived it."""
    left = sorted({kind for one in lives for kind in one.left})
    gone = [round(one.hosts_gone, 3) for one in lives]
    return median("pulumi-destroy", "s", [one.destroy for one in lives], left=left, hosts_gone_s=gone)


def _ops(command: str) -> float:
    began = time.monotonic()
    done = subprocess.run([places.program("postroad-ops"), command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperationError(f"`make {command}` failed: {done.stderr.strip()[-300:]}", remedy=f"run: make {command}")
    return time.monotonic() - began


def _up(rounds: int) -> Case:
    """From nothing of a region, caches warm, to delivered mail."""
    taken = []
    for _ in range(rounds):
        _ops("down")
        taken.append(_ops("up"))
    return median("up", "s", taken)


def _up_again(rounds: int) -> Case:
    return median("up-again", "s", [_ops("up") for _ in range(rounds)])


def _reconcile(rounds: int) -> Case:
    """From the answer of a call that opens a port to the fabric that lets it through, with as many hosts as run."""
    ec2 = hosts.client("ec2", "local")
    group = next(
        found["GroupId"]
        for found in ec2.describe_security_groups()["SecurityGroups"]
        if {"Key": "Tier", "Value": "mta"} in found.get("Tags", [])
    )
    rule = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "10.20.255.0/24"}]}
    taken = []
    for _ in range(rounds * 5):
        for change in (ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress):
            settled()
            change(GroupId=group, IpPermissions=[rule])
            began = time.monotonic()
            settled()
            taken.append(time.monotonic() - began)
    return median("reconcile", "s", taken, hosts=len(containers.all_hosts()))


def _instance_to_service(rounds: int) -> Case:
    """From RunInstances to healthy at a balancer, one host at a time, beside the hosts of stack `local`."""
    taken = []
    with in_service.door(f"bench-{time.time_ns() % 10**9}") as door:
        settled()
        for _ in range(max(LAUNCHES, rounds)):
            launch = door.launch()
            taken.append(launch.seconds)
            door.terminate(launch)
            settled()
    settled()
    return percentile("instance-to-service-p95", "s", taken, 0.95, median=round(statistics.median(taken), 3))


def _alarm_act(rounds: int) -> Case:
    """From a data point above an alarm's threshold to the changed capacity, the slowest round; and since the end of
    the data point's period.
    """
    taken = alarm_act.actions(f"bench-{time.time_ns() % 10**9}", rounds * 2)
    settled()
    since = [round(action.since_period, 3) for action in taken]
    slowest = [action.since_datapoint for action in taken]
    return percentile("alarm-act", "s", slowest, 1.0, period_s=alarm_act.PERIOD, since_period_end_s=since)


def _zone_down(rounds: int) -> Case:
    """From the cut of a zone under 200 messages/s to the first second in which as many are accepted again."""
    taken, slowest = [], []
    for _ in range(rounds):
        sender = delivery.Sender(
            front_door.doors("local"), sender="news@postroad.test", domain="gmail.test", octets=2048, rate=ZONE_RATE
        )
        cut_at: list[float] = []

        def cut(began: float = time.monotonic(), cut_at: list[float] = cut_at) -> None:
            cut_at.append(time.monotonic() - began)
            subprocess.run([places.program("postroad-region"), "zone", "down", "a"], check=True, capture_output=True)

        timer = threading.Timer(5.0, cut)
        timer.start()
        sender.send(f"bench{time.time_ns()}", int(ZONE_RATE * ZONE_SECONDS))
        timer.join()
        subprocess.run([places.program("postroad-region"), "zone", "up", "a"], check=True, capture_output=True)
        taken.append(recovery(sender.accepted_at, cut_at[0], rate=ZONE_RATE))
        slowest.append(round(max(sender.accepted_at), 1))
        settled()
    return median("zone-down-recovery", "s", taken, rate=ZONE_RATE, last_accepted_s=slowest)


def recovery(accepted_at: Sequence[float], cut_at: float, *, rate: float) -> float:
    """Seconds from the cut to the start of the first whole second in which `rate` messages were accepted again.

    Seconds before the first one that fell below it don't count: the cut isn't felt at once. Zero if none did.
    """
    felt = False
    for start in range(int(cut_at), int(max(accepted_at)) + 1):
        count = sum(start <= at < start + 1 for at in accepted_at)
        if count < rate * 0.9:
            felt = True
        elif felt:
            return max(0.0, start - cut_at)
    return 0.0 if not felt else max(accepted_at) - cut_at


def _fleet(rounds: int) -> Case:
    """Memory of all processes of a region with 24 hosts (sum of PSS), once all have booted."""
    ec2 = hosts.client("ec2", "local")
    running = hosts.of_stack("local", ask=False)
    model = ec2.describe_instances(InstanceIds=[running[0].instance])["Reservations"][0]["Instances"][0]
    made = ec2.run_instances(
        ImageId=model["ImageId"],
        InstanceType=model["InstanceType"],
        SubnetId=model["SubnetId"],
        MinCount=FLEET - len(running),
        MaxCount=FLEET - len(running),
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()]}
        ],
    )["Instances"]
    try:
        settled(hosts_running=FLEET)
        taken = [_memory_gib() for _ in range(rounds)]
    finally:
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"] for instance in made])
        settled()
    return median("fleet-24-memory", "GiB", taken, hosts=FLEET)


def settled(*, hosts_running: int = 0) -> dict[str, Any]:
    """Wait until the region is as its API says, with at least so many hosts.

    Raises:
        OperationError: it isn't within five minutes.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        said = daemon.status() or {}
        if said.get("settled") and not said.get("faults") and int(said.get("running", 0)) >= hosts_running:
            return said
        if time.monotonic() > deadline:
            raise OperationError(f"the region didn't settle: {said}", remedy="see: make status")
        time.sleep(0.01)


def _memory_gib() -> float:
    """PSS of every process of the hosts and of the region's own servers."""
    pids: set[int] = set()
    for host in containers.all_hosts().values():
        if host.running:
            pids |= set(containers.process_tree(host.pid))
    marks = ("postroad_region", str(paths().state), str(paths().run))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if any(mark in command for mark in marks):
                pids.add(int(entry.name))
    return sum(_pss_kib(pid) for pid in pids) / 2**20


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)

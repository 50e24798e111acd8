"""An MTA with a full spool is taken out by its Auto Scaling group: none of its mail is lost, none arrives twice."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from postroad_ops import delivery, hosts, places
from postroad_ops.command import Operator
from postroad_ops.up import DOMAIN, SENDER
from postroad_region.hypervisor.hosts import PODMAN

MESSAGES = 5000
GROUP = "postroad-local-mta-c"


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def mtas() -> dict[str, hosts.Host]:
    """The ready MTAs by zone letter."""
    return {h.zone[-1]: h for h in hosts.of_stack("local") if h.tier == "mta" and h.health == "ready"}


def postroad(host: hosts.Host, *command: str) -> str:
    done = subprocess.run(
        [*PODMAN, "exec", host.instance, "/opt/postroad/current/venv/bin/postroad", *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def queued(host: hosts.Host) -> int:
    # Those in the spool, wherever they wait.
    return int(json.loads(postroad(host, "status", "--json"))["messages"])


@pytest.fixture
def groups(operator: Operator) -> Iterator[Any]:
    """The Auto Scaling API; afterwards the zone has its MTA again."""
    groups = hosts.client("autoscaling", "local")
    try:
        yield groups
    finally:
        groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=1, DesiredCapacity=1)
        operator("up")


def test_scale_in_of_a_full_mta_loses_nothing_and_repeats_nothing(groups: Any) -> None:
    before = mtas()
    victim = before.pop("c")
    world = delivery.providers()
    batch = f"scalein{int(time.time())}"
    # The provider puts off the first try of each.
    sender = delivery.Sender(
        [victim.address], sender=SENDER, domain=DOMAIN, octets=1000, rate=None, local_part="defer-once"
    )
    accepted, _ = sender.send(batch, MESSAGES)
    assert len(accepted) == MESSAGES
    assert queued(victim) > 0

    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=0, DesiredCapacity=0)

    def held() -> bool:
        found = groups.describe_auto_scaling_instances(InstanceIds=[victim.instance])["AutoScalingInstances"]
        return [each["LifecycleState"] for each in found] == ["Terminating:Wait"]

    wait_for(held, seconds=60, what=f"{victim.name} kept by the hook")
    worker = subprocess.run(
        [places.program("postroad-ops"), "lifecycle", "--once"],
        cwd=places.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert worker.returncode == 0, worker.stdout[-3000:] + worker.stderr[-3000:]

    def gone() -> bool:
        return not groups.describe_auto_scaling_instances(InstanceIds=[victim.instance])["AutoScalingInstances"]

    wait_for(gone, seconds=60, what=f"{victim.name} terminated")

    def delivered() -> bool:
        # Each flush is another try; the greylist lets the second pass.
        for host in before.values():
            postroad(host, "flush")
        return world.distinct(batch) == MESSAGES

    wait_for(delivered, seconds=120, what=f"{MESSAGES} messages of batch {batch} delivered")
    assert len(world.arrivals(batch)) == MESSAGES, "none arrived twice"

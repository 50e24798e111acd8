"""A terminated instance is replaced, configured and in service again, with the mail of its spool."""

import json
import subprocess
import time
from collections.abc import Callable

from postroad_ops import delivery, hosts
from postroad_ops.command import Operator
from postroad_ops.up import DOMAIN, SENDER
from postroad_region.hypervisor.hosts import PODMAN

MESSAGES = 40


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def mta() -> hosts.Host:
    return next(host for host in hosts.of_stack("local") if host.tier == "mta" and host.health == "ready")


def test_mail_in_the_spool_outlives_its_instance(operator: Operator) -> None:
    victim = mta()
    world = delivery.providers()
    batch = f"replaced{int(time.time())}"
    # The provider puts off the first try of each: the mail lies in the spool when the instance goes.
    sender = delivery.Sender(
        [victim.address], sender=SENDER, domain=DOMAIN, octets=500, rate=None, local_part="defer-once"
    )
    accepted, _ = sender.send(batch, MESSAGES)
    assert len(accepted) == MESSAGES
    hosts.client("ec2", "local").terminate_instances(InstanceIds=[victim.instance])

    operator("up")

    replaced = [h for h in hosts.of_stack("local") if h.tier == "mta" and h.zone == victim.zone]
    assert [host.health for host in replaced] == ["ready"]
    assert replaced[0].instance != victim.instance

    flush = [*PODMAN, "exec", replaced[0].instance, "/opt/postroad/current/venv/bin/postroad", "flush"]

    def delivered() -> bool:
        # Each flush is another try; the greylist lets the second pass.
        subprocess.run(flush, check=True, capture_output=True)
        return world.distinct(batch) == MESSAGES

    wait_for(delivered, seconds=60, what=f"{MESSAGES} messages of batch {batch} delivered")
    assert len(world.arrivals(batch)) == MESSAGES, "none arrived twice"


def test_status_shows_every_host_ready(operator: Operator) -> None:
    status = json.loads(operator("status", "--json").stdout)
    assert {host["health"] for host in status["hosts"]} == {"ready"}
    assert {host["tier"] for host in status["hosts"]} == {"resolver", "mta", "proxy"}

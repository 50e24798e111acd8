"""Mail through the load balancer: it knows who is ready, MTAs know the client, a zone without an MTA is left out."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
from postroad_ops import delivery, front_door, hosts
from postroad_region.hypervisor.hosts import PODMAN
from postroad_region.paths import paths

SENDER, DOMAIN = "news@postroad.test", "gmail.test"
NAME, VPC_RESOLVER = "smtp.postroad.test", "10.20.0.2"
CONTROLLER = "10.20.255.10"


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)


def mtas() -> list[hosts.Host]:
    return [host for host in hosts.of_stack("local") if host.tier == "mta"]


def target_health() -> dict[str, str]:
    client: Any = hosts.client("elbv2", "local")
    (group,) = client.describe_target_groups(Names=["postroad-local-smtp-587"])["TargetGroups"]
    described = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in described}


def all_healthy() -> bool:
    return target_health() == {host.instance: "healthy" for host in mtas()}


def resolved() -> set[str]:
    answer = dns.query.udp(dns.message.make_query(NAME, "A"), VPC_RESOLVER, timeout=3)
    return {item.address for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset}


def on(host: hosts.Host, *command: str) -> str:
    done = subprocess.run([*PODMAN, "exec", host.instance, *command], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_mta_is_healthy_behind_it() -> None:
    wait_for(all_healthy, seconds=40, what="every MTA healthy")


def test_its_name_leads_to_a_node_in_every_zone() -> None:
    wait_for(all_healthy, seconds=40, what="every MTA healthy")
    nodes = {door.address for door in front_door.doors("local")}
    assert len(nodes) == 3
    # What a resolver knows may be as old as the record's TTL.
    wait_for(lambda: resolved() == nodes, seconds=75, what="all zones in DNS")


def test_mail_through_every_node_is_delivered_and_the_mta_knows_the_client() -> None:
    doors = front_door.doors("local")
    before = int(time.time())
    for door in doors:
        assert (door.port, door.name) == (465, NAME)
        assert delivery.send([door], 5, sender=SENDER, domain=DOMAIN).complete
    log = "".join(on(host, "journalctl", "-u", "postroad-mta", "-o", "cat", "--since", f"@{before}") for host in mtas())
    receptions = [event for line in log.splitlines() if line.startswith("{")
                  and (event := json.loads(line))["event"] == "reception"]  # fmt: skip
    assert {event["peer"] for event in receptions} == {CONTROLLER}


def test_an_mta_that_stops_leaves_the_door_with_its_zone_and_mail_goes_on() -> None:
    wait_for(all_healthy, seconds=40, what="every MTA healthy")
    stopped = mtas()[0]
    # The socket too: it would start the service again for the next connection.
    units = ("postroad-mta.socket", "postroad-mta.service")
    on(stopped, "systemctl", "stop", *units)
    try:
        wait_for(lambda: target_health()[stopped.instance] == "unhealthy", seconds=30, what="the MTA unhealthy")
        wait_for(lambda: len(resolved()) == 2, seconds=75, what="its zone out of DNS")
        assert delivery.send(front_door.doors("local"), 30, sender=SENDER, domain=DOMAIN).complete
    finally:
        on(stopped, "systemctl", "start", *units)
    wait_for(all_healthy, seconds=40, what="every MTA healthy again")


def test_a_haproxy_that_is_killed_is_back_within_seconds() -> None:
    record = next((paths().run / "balancers").glob("nlb-*.pid"))
    os.kill(int(json.loads(record.read_text())["pid"]), signal.SIGKILL)
    wait_for(
        lambda: all(
            delivery.send([door], 1, sender=SENDER, domain=DOMAIN).complete for door in front_door.doors("local")
        ),
        seconds=20,
        what="mail through every node",
    )

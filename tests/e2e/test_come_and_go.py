"""Hosts and addresses come and go: by scale-in, by a move, by a failure. Mail and reputation stay.

The tests are in this order because one `make up` at the end restores what all of them changed.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import dns.reversename
import pytest
import yaml
from postroad_ops import delivery, hosts, places, stack
from postroad_ops.command import Operator
from postroad_ops.up import DOMAIN, SENDER, ansible_environment, pulumi_program, submission
from postroad_region.hypervisor.hosts import PODMAN

MINE = "postroad.test"
GROUP = "postroad-local-mta-c"
IN_THE_SPOOL = 5000
IN_THE_VOLUME = 40
BATCH = 240
# A connection has one source, and carries many messages: a batch needn't use every source.
MOST_BATCHES = 10


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def ready(tier: str) -> dict[str, hosts.Host]:
    """The ready hosts of a tier by zone letter."""
    return {h.zone[-1]: h for h in hosts.of_stack("local") if h.tier == tier and h.health == "ready"}


def postroad(host: hosts.Host, *command: str) -> str:
    program = "/opt/postroad/current/venv/bin/postroad"
    return run([*PODMAN, "exec", host.instance, program, *command], places.ROOT, {})


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def put_off(victim: hosts.Host, count: int) -> str:
    """A batch that lies in an MTA's spool: the provider puts off the first try of each message."""
    batch = f"comeandgo{time.time_ns()}"
    sender = delivery.Sender(
        [victim.address], sender=SENDER, domain=DOMAIN, octets=1000, rate=None, local_part="defer-once"
    )
    accepted, _ = sender.send(batch, count)
    assert len(accepted) == count
    return batch


def assert_delivered_once(batch: str, count: int) -> None:
    world = delivery.providers()

    def delivered() -> bool:
        # Each flush is another try; the greylist lets the second pass.
        for host in ready("mta").values():
            postroad(host, "flush")
        return world.distinct(batch) == count

    wait_for(delivered, seconds=120, what=f"{count} messages of batch {batch} delivered")
    assert len(world.arrivals(batch)) == count, "none arrived twice"


def addresses() -> dict[str, dict[str, str]]:
    """Public address, allocation and the instance that has it, by the sending address's name."""
    found = hosts.client("ec2", "local").describe_addresses(Filters=[{"Name": "tag:Tier", "Values": ["proxy"]}])
    return {
        next(tag["Value"] for tag in address["Tags"] if tag["Key"] == "Name"): {
            "public": address["PublicIp"],
            "allocation": address["AllocationId"],
            "instance": address.get("InstanceId", ""),
        }
        for address in found["Addresses"]
    }


def names_of(known: dict[str, dict[str, str]]) -> dict[str, str]:
    """The EHLO name that belongs to each public address."""
    return {address["public"]: f"{name}.{MINE}" for name, address in known.items()}


def names_seen(all_of: set[str]) -> dict[str, str]:
    """The name that each source gave, of as many batches as it takes until all of these sources were used."""
    seen: dict[str, str] = {}
    for _ in range(MOST_BATCHES):
        report = delivery.send(submission(), BATCH, sender=SENDER, domain=DOMAIN)
        assert report.complete, report.as_dict()
        seen |= {arrival["source"]: arrival["ehlo"] for arrival in delivery.providers().arrivals(report.batch)}
        if set(seen) >= all_of:
            break
    return seen


def ask(name: Any, kind: str) -> set[str]:
    """What a resolver of the region answers."""
    resolver = next(host.address for host in hosts.of_stack("local", ask=False) if host.tier == "resolver")
    answer = dns.query.udp(dns.message.make_query(name, kind), resolver, timeout=3).answer
    return {str(item) for rrset in answer if rrset.rdtype == dns.rdatatype.from_text(kind) for item in rrset}


@pytest.fixture(scope="module", autouse=True)
def _whole(operator: Operator) -> Iterator[None]:
    """Whatever fails here, the next module finds the region as it was."""
    yield
    set_capacity(1)
    if any(len(ready(tier)) < 3 for tier in ("mta", "proxy")):
        operator("up")


def set_capacity(count: int) -> None:
    groups = hosts.client("autoscaling", "local")
    groups.update_auto_scaling_group(AutoScalingGroupName=GROUP, MinSize=count, DesiredCapacity=count)


def test_every_address_gives_the_name_that_leads_to_it_and_back() -> None:
    names = names_of(addresses())
    assert names_seen(set(names)) == names
    for public, name in names.items():
        assert ask(dns.reversename.from_address(public), "PTR") == {f"{name}."}
        assert ask(name, "A") == {public}


def test_scale_in_of_an_mta_with_a_full_spool_loses_nothing_and_repeats_nothing() -> None:
    groups, victim = hosts.client("autoscaling", "local"), ready("mta")["c"]
    batch = put_off(victim, IN_THE_SPOOL)
    assert json.loads(postroad(victim, "status", "--json"))["messages"] > 0

    def state() -> list[str]:
        found = groups.describe_auto_scaling_instances(InstanceIds=[victim.instance])["AutoScalingInstances"]
        return [each["LifecycleState"] for each in found]

    set_capacity(0)
    wait_for(lambda: state() == ["Terminating:Wait"], seconds=60, what=f"{victim.name} kept by the hook")
    run([places.program("postroad-ops"), "lifecycle", "--once"], places.ROOT, {})
    wait_for(lambda: state() == [], seconds=60, what=f"{victim.name} terminated")
    assert_delivered_once(batch, IN_THE_SPOOL)


def test_an_address_moves_to_another_proxy_and_stays_what_it_was(tmp_path: Path) -> None:
    before, other = addresses(), ready("proxy")["b"]
    document = yaml.safe_load((stack.project_folder("mail") / "Pulumi.local.yaml").read_text())
    document["config"]["mail:settings"]["proxy"]["moved"] = {"mail-a": "proxy-b"}
    changed = tmp_path / "Pulumi.local.yaml"
    changed.write_text(yaml.safe_dump(document))
    with stack.attached_provider(places.ROOT / ".cache" / "provider.log") as port:
        environment = stack.environment("local", provider_port=port)
        pulumi = [pulumi_program(environment), "up", "--yes", "--skip-preview", "--stack", "local"]
        run([*pulumi, "--config-file", str(changed)], stack.project_folder("mail"), environment)
    playbook = [places.program("ansible-playbook"), "-i", "inventories/local", "playbooks/site.yml"]
    run(playbook, places.ROOT / "ansible", ansible_environment())

    assert addresses() == {**before, "mail-a": {**before["mail-a"], "instance": other.instance}}
    # Zone c has no MTA since it was taken out, and a zone's addresses are its own MTAs'.
    names = names_of({name: address for name, address in before.items() if not name.startswith("mail-c")})
    assert names_seen(set(names)) == names


@dataclass(frozen=True)
class Replaced:
    """An MTA and a proxy that were terminated, as they were before."""

    mta: hosts.Host
    proxy: hosts.Host
    batch: str
    addresses: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def replaced(operator: Operator) -> Replaced:
    """`make up` after an MTA with mail and a proxy are gone; it also takes back what tests above changed."""
    set_capacity(1)
    victims = ready("mta")["b"], ready("proxy")["a"]
    batch = put_off(victims[0], IN_THE_VOLUME)
    before = addresses()
    hosts.client("ec2", "local").terminate_instances(InstanceIds=[victim.instance for victim in victims])
    operator("up")
    return Replaced(*victims, batch, before)


def test_mail_in_the_spool_outlives_its_instance(replaced: Replaced) -> None:
    assert ready("mta")["b"].instance != replaced.mta.instance
    assert_delivered_once(replaced.batch, IN_THE_VOLUME)


def test_a_replaced_proxy_sends_from_the_same_addresses(replaced: Replaced) -> None:
    now, proxies = addresses(), ready("proxy")
    assert proxies["a"].instance != replaced.proxy.instance
    for name, address in now.items():
        was = replaced.addresses[name]
        assert (address["public"], address["allocation"]) == (was["public"], was["allocation"])
        assert address["instance"] == proxies[name.split("-")[1]].instance, name
    assert names_seen(set(names_of(now))) == names_of(now)


def test_status_shows_every_host_ready(replaced: Replaced, operator: Operator) -> None:
    status = json.loads(operator("status", "--json").stdout)
    assert {host["health"] for host in status["hosts"]} == {"ready"}
    assert {host["tier"] for host in status["hosts"]} == {"resolver", "mta", "proxy"}
    assert len(status["hosts"]) == 9

"""The addresses that mail leaves from: known by their names, and no host's own."""

import os
import subprocess
from collections.abc import Iterator
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

MINE = "postroad.test"
ENOUGH = 240


def addresses() -> dict[str, dict[str, str]]:
    """Public address, allocation and the instance that has it, by the address's name."""
    found = hosts.client("ec2", "local").describe_addresses(Filters=[{"Name": "tag:Tier", "Values": ["proxy"]}])
    return {
        next(tag["Value"] for tag in address["Tags"] if tag["Key"] == "Name"): {
            "public": address["PublicIp"],
            "allocation": address["AllocationId"],
            "instance": address.get("InstanceId", ""),
        }
        for address in found["Addresses"]
    }


def proxies() -> dict[str, hosts.Host]:
    """The ready proxies by zone letter."""
    return {h.zone[-1]: h for h in hosts.of_stack("local") if h.tier == "proxy" and h.health == "ready"}


def sent() -> list[dict[str, Any]]:
    """What the providers saw of a batch of mail, all of which they have."""
    report = delivery.send(submission(), ENOUGH, sender=SENDER, domain=DOMAIN)
    assert report.complete, report.as_dict()
    return delivery.providers().arrivals(report.batch)


def ask(name: Any, kind: str) -> set[str]:
    """What a resolver of the region answers."""
    resolver = next(host.address for host in hosts.of_stack("local", ask=False) if host.tier == "resolver")
    answer = dns.query.udp(dns.message.make_query(name, kind), resolver, timeout=3).answer
    return {str(item) for rrset in answer if rrset.rdtype == dns.rdatatype.from_text(kind) for item in rrset}


def test_every_address_gives_the_name_that_leads_to_it_and_back() -> None:
    names = {address["public"]: f"{name}.{MINE}" for name, address in addresses().items()}
    assert {arrival["source"]: arrival["ehlo"] for arrival in sent()} == names
    for public, name in names.items():
        assert ask(dns.reversename.from_address(public), "PTR") == {f"{name}."}
        assert ask(name, "A") == {public}


def test_a_replaced_proxy_sends_from_the_same_addresses(operator: Operator) -> None:
    before, victim = addresses(), proxies()["a"]
    hosts.client("ec2", "local").terminate_instances(InstanceIds=[victim.instance])
    operator("up")
    replacement = proxies()["a"]
    assert replacement.instance != victim.instance
    for name, address in addresses().items():
        was = before[name]
        assert (address["public"], address["allocation"]) == (was["public"], was["allocation"])
        holder = replacement.instance if was["instance"] == victim.instance else was["instance"]
        assert address["instance"] == holder, name
    assert {arrival["source"] for arrival in sent()} == {address["public"] for address in before.values()}


def apply(config: Path) -> None:
    """`pulumi up` of the project mail with these settings, then the hosts to what it made."""
    with stack.attached_provider(places.ROOT / ".cache" / "provider.log") as port:
        environment = stack.environment("local", provider_port=port)
        command = [pulumi_program(environment), "up", "--yes", "--skip-preview", "--stack", "local"]
        run([*command, "--config-file", str(config)], stack.project_folder("mail"), environment)
    site = [places.program("ansible-playbook"), "-i", "inventories/local", "playbooks/site.yml"]
    run(site, places.ROOT / "ansible", ansible_environment())


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
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


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[None]:
    """`mail-a` is on the proxy of zone b, as long as the test runs."""
    usual = stack.project_folder("mail") / "Pulumi.local.yaml"
    document = yaml.safe_load(usual.read_text())
    document["config"]["mail:settings"]["proxy"]["moved"] = {"mail-a": "proxy-b"}
    changed = tmp_path / "Pulumi.local.yaml"
    changed.write_text(yaml.safe_dump(document))
    try:
        apply(changed)
        yield
    finally:
        apply(usual)


def test_an_address_moves_to_another_proxy_and_stays_what_it_was(request: pytest.FixtureRequest) -> None:
    before, other = addresses(), proxies()["b"]
    request.getfixturevalue("moved")
    now = addresses()
    assert {name: address["allocation"] for name, address in now.items()} == {
        name: address["allocation"] for name, address in before.items()
    }
    assert now["mail-a"] == {**before["mail-a"], "instance": other.instance}
    assert {name: each for name, each in now.items() if name != "mail-a"} == {
        name: each for name, each in before.items() if name != "mail-a"
    }
    seen = {arrival["source"]: arrival["ehlo"] for arrival in sent()}
    assert seen == {address["public"]: f"{name}.{MINE}" for name, address in before.items()}

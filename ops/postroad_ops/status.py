"""The region as one picture: hosts, front door, sending addresses, providers, and the faults that somebody injected."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from postroad_region import daemon

from postroad_ops import delivery, hosts
from postroad_ops.hosts import Host


@dataclass(frozen=True, slots=True)
class SendingAddress:
    """An Elastic IP that mail leaves from.

    Args:
        name: its PTR name; empty where none is set.
        holder: the host that it leads to; empty where it leads nowhere.
    """

    address: str
    name: str
    zone: str
    pool: str
    holder: str


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Where a listener of the front door leads.

    Args:
        listener: `TLS 587`, protocol and port.
        states: targets by state, as the balancer sees them.
        unwell: targets that get no connections, with the balancer's reason.
    """

    balancer: str
    dns_name: str
    listener: str
    group: str
    states: dict[str, int]
    unwell: dict[str, str]


@dataclass(frozen=True, slots=True)
class Region:
    """All of it, at one moment."""

    hosts: list[Host]
    addresses: list[SendingAddress]
    front_door: list[TargetGroup]
    providers: dict[str, Any]
    faults: dict[str, str] = field(default_factory=dict)
    injected: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the providers' counts lie at the top, as the world gives them."""
        found = asdict(self)
        return {**found, **found.pop("providers")}


def look(stack: str = "local") -> Region:
    """Ask everybody.

    Raises:
        OperationError: there is no region.
    """
    found = hosts.of_stack(stack)
    names = {host.instance: host.name for host in found}
    said = daemon.status() or {}
    return Region(
        hosts=found,
        addresses=_addresses(hosts.client("ec2", stack), stack, names),
        front_door=_front_door(hosts.client("elbv2", stack), names),
        providers=delivery.providers().counts(),
        faults={str(subject): str(reason) for subject, reason in said.get("faults", {}).items()},
        injected=_injected(said.get("injected", {}), names),
    )


def _injected(said: dict[str, Any], names: dict[str, str]) -> list[str]:
    """A line a kind, hosts by their names: `zones down: us-east-1a`."""
    lines = []
    for kind, what in said.items():
        if kind == "applied" or not what:
            continue
        if isinstance(what, str):
            lines.append(f"{kind}: {what}")
            continue
        subjects = [" and ".join(each) if isinstance(each, list) else names.get(each, each) for each in what]
        lines.append(f"{kind.replace('_', ' ')}: {', '.join(subjects)}")
    return lines if said.get("applied", True) else [*lines, "not all of it is true yet"]


def _addresses(client: Any, stack: str, names: dict[str, str]) -> list[SendingAddress]:
    filters = [{"Name": "tag:Environment", "Values": [stack]}, {"Name": "tag:Tier", "Values": ["proxy"]}]
    found = hosts.patiently(lambda: client.describe_addresses(Filters=filters))["Addresses"]
    reverse: dict[str, str] = {}
    if ids := [address["AllocationId"] for address in found]:
        try:
            answer = client.describe_addresses_attribute(AllocationIds=ids, Attribute="domain-name")
            reverse = {entry["PublicIp"]: entry.get("PtrRecord", "").rstrip(".") for entry in answer["Addresses"]}
        except (BotoCoreError, ClientError):
            reverse = {}
    listed = []
    for address in found:
        tags = {tag["Key"]: tag["Value"] for tag in address.get("Tags", [])}
        instance = address.get("InstanceId", "")
        public = address["PublicIp"]
        holder = names.get(instance, instance)
        listed.append(
            SendingAddress(public, reverse.get(public, ""), tags.get("Zone", ""), tags.get("Pool", ""), holder)
        )
    return sorted(listed, key=lambda entry: (entry.zone, entry.address))


def _front_door(client: Any, names: dict[str, str]) -> list[TargetGroup]:
    doors = []
    for balancer in hosts.patiently(client.describe_load_balancers)["LoadBalancers"]:
        listeners = client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        for listener in sorted(listeners, key=lambda entry: int(entry["Port"])):
            groups = [action["TargetGroupArn"] for action in listener["DefaultActions"] if "TargetGroupArn" in action]
            doors += [_target_group(client, balancer, listener, group, names) for group in groups]
    return doors


def _target_group(
    client: Any, balancer: dict[str, Any], listener: dict[str, Any], group: str, names: dict[str, str]
) -> TargetGroup:
    targets = client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    states: Counter[str] = Counter()
    unwell: dict[str, str] = {}
    for target in targets:
        identifier, health = target["Target"]["Id"], target["TargetHealth"]
        states[health["State"]] += 1
        if health["State"] != "healthy":
            unwell[names.get(identifier, identifier)] = health.get("Reason", "")
    return TargetGroup(
        balancer=balancer["LoadBalancerName"],
        dns_name=balancer["DNSName"],
        listener=f"{listener['Protocol']} {listener['Port']}",
        group=group.split("/")[1],
        states=dict(states),
        unwell=unwell,
    )

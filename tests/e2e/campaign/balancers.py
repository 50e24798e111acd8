"""Load balancers, their target groups and listeners, compared with what each HAProxy says of itself."""

import csv
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from postroad_region.balancer.balancers import NAMESPACES, PREFIX
from postroad_region.balancer.configuration import OPEN
from postroad_region.balancer.statistics import ask
from postroad_region.paths import paths

from tests.e2e.campaign.part import NAME, TAGS, Place, client, instances

PORTS = (2501, 2502, 2503)
ATTRIBUTES = {"deregistration_delay.timeout_seconds": "0", "preserve_client_ip.enabled": "false"}


class Balancers:
    """A balancer is made, changed under its targets, and removed."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._ec2, self._elbv2 = client("ec2"), client("elbv2")
        self.operations = [
            self.make_a_balancer,
            self.add_or_remove_a_listener,
            self.register_or_deregister_a_target,
            self.change_the_health_check,
            self.remove_the_balancer,
        ]

    def make_a_balancer(self) -> None:
        self._balancer()
        self._listener(PORTS[0])

    def add_or_remove_a_listener(self) -> None:
        found = self._listeners(self._balancer())
        port = self._place.chance.choice(PORTS)
        listener = next((each for each in found if each["Port"] == port), None)
        if listener is None:
            self._listener(port)
        else:
            self._elbv2.delete_listener(ListenerArn=listener["ListenerArn"])

    def register_or_deregister_a_target(self) -> None:
        self._listener(PORTS[0])
        group = self._group()
        described = self._elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        held = [each["Target"]["Id"] for each in described if each["TargetHealth"]["State"] != "draining"]
        free = [instance for instance in instances() or [self._place.launch()] if instance not in held]
        if free:
            self._elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": free[0]}])
        else:
            self._elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": held[0]}])

    def change_the_health_check(self) -> None:
        self._listener(PORTS[0])
        interval = self._place.chance.choice((5, 10, 15))
        self._elbv2.modify_target_group(TargetGroupArn=self._group(), HealthCheckIntervalSeconds=interval)

    def remove_the_balancer(self) -> None:
        for balancer in self._named("describe_load_balancers", "LoadBalancers"):
            self._elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        for group in self._named("describe_target_groups", "TargetGroups"):
            self._elbv2.delete_target_group(TargetGroupArn=group["TargetGroupArn"])

    def tidy(self) -> None:
        self.remove_the_balancer()

    def disagreements(self) -> list[str]:
        wrong, nodes = [], set()
        for balancer in self._elbv2.describe_load_balancers()["LoadBalancers"]:
            arn = balancer["LoadBalancerArn"]
            listeners = self._listeners(arn)
            ports = {f"port_{listener['Port']}" for listener in listeners}
            for eni in self._interfaces(arn):
                node = PREFIX + eni["NetworkInterfaceId"].removeprefix("eni-")
                nodes.add(node)
                frontends, servers = seen(node)
                if frontends != ports:
                    wrong.append(f"{node} of {balancer['LoadBalancerName']} has {frontends}, not {ports}")
                if balancer["LoadBalancerName"] == NAME:
                    wanted = self._targets(listeners, eni["AvailabilityZone"])
                    if servers != wanted:
                        wrong.append(f"{node} sends to {servers}, not {wanted}")
        there = {path.name for path in NAMESPACES.glob(f"{PREFIX}*")}
        there |= {path.name.partition(".")[0] for path in (paths().run / "balancers").glob(f"{PREFIX}*.pid")}
        return wrong + [f"node {node} isn't on both sides" for node in sorted(nodes ^ there)]

    def _targets(self, listeners: list[dict[str, Any]], zone: str) -> set[str]:
        found = set()
        for group in {listener["DefaultActions"][0]["TargetGroupArn"] for listener in listeners}:
            for each in self._elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]:
                if each["TargetHealth"].get("Reason") not in ("Target.InvalidState", "Target.NotRegistered"):
                    found.add(each["Target"]["Id"])
        described = self._ec2.describe_instances(InstanceIds=sorted(found))["Reservations"] if found else []
        zones = {i["InstanceId"]: i["Placement"]["AvailabilityZone"] for each in described for i in each["Instances"]}
        return {instance for instance in found if zones[instance] == zone}

    def _interfaces(self, arn: str) -> list[dict[str, Any]]:
        filters = [{"Name": "description", "Values": [f"ELB {arn.partition(':loadbalancer/')[2]}"]}]
        listed: list[dict[str, Any]] = self._ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
        return listed

    def _listeners(self, arn: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        return listed

    def _named(self, call: str, key: str) -> list[dict[str, Any]]:
        try:
            listed: list[dict[str, Any]] = getattr(self._elbv2, call)(Names=[NAME])[key]
        except ClientError as error:
            if "NotFound" not in error.response["Error"]["Code"]:
                raise
            return []
        return listed

    def _balancer(self) -> str:
        found = self._named("describe_load_balancers", "LoadBalancers")
        if not found:
            subnets = [self._place.model["SubnetId"]]
            asked = {"Name": NAME, "Type": "network", "Scheme": "internal", "Subnets": subnets, "Tags": TAGS}
            found = self._elbv2.create_load_balancer(**asked)["LoadBalancers"]
        return str(found[0]["LoadBalancerArn"])

    def _group(self) -> str:
        found = self._named("describe_target_groups", "TargetGroups")
        if not found:
            vpc = self._place.model["VpcId"]
            asked = {"Name": NAME, "Protocol": "TCP", "Port": 22, "VpcId": vpc, "TargetType": "instance", "Tags": TAGS}
            found = self._elbv2.create_target_group(**asked)["TargetGroups"]
        arn = str(found[0]["TargetGroupArn"])
        attributes = [{"Key": key, "Value": value} for key, value in ATTRIBUTES.items()]
        self._elbv2.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
        return arn

    def _listener(self, port: int) -> None:
        balancer, group = self._balancer(), self._group()
        if port not in {each["Port"] for each in self._listeners(balancer)}:
            forward = [{"Type": "forward", "TargetGroupArn": group}]
            self._elbv2.create_listener(LoadBalancerArn=balancer, Protocol="TCP", Port=port, DefaultActions=forward)


def seen(node: str) -> tuple[set[str], set[str]]:
    """Frontends, and servers that health is looked at of, as the node's HAProxy has them; none where it doesn't run."""
    socket: Path = paths().run / "balancers" / f"{node}.master"
    try:
        rows = list(csv.DictReader(ask(socket, ["@1 show stat"]).lstrip("# ").splitlines()))
    except OSError:
        return set(), set()
    frontends = {str(row["pxname"]) for row in rows if row["svname"] == "FRONTEND"}
    servers = {str(row["svname"]) for row in rows if row["type"] == "2" and not str(row["pxname"]).endswith(OPEN)}
    return frontends, servers

"""Facts of the project `mail`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.pulumi.conftest import StackRuns
from tests.pulumi.mocks_engine import Run, run_program, stack_config


@pytest.fixture
def mail(runs: StackRuns) -> Run:
    return runs["mail"]


def records(run: Run, kind: str) -> dict[str, list[str]]:
    return {
        r.inputs["name"]: r.inputs["records"]
        for r in run.of("Record")
        if r.inputs["type"] == kind and "records" in r.inputs
    }


def open_ports(run: Run, tier: str, direction: str) -> set[tuple[str, int | None, str]]:
    """Protocol, port and other side of a tier's rules."""
    return {
        (rule.inputs["ipProtocol"], rule.inputs.get("fromPort"), _peer(rule.inputs))
        for rule in run.of(f"SecurityGroup{direction}Rule")
        if rule.inputs["tags"]["Tier"] == tier
    }


def _peer(inputs: Mapping[str, Any]) -> str:
    return str(inputs.get("cidrIpv4") or inputs.get("prefixListId") or inputs["referencedSecurityGroupId"])


def test_every_mta_has_an_encrypted_spool_in_its_zone_that_the_role_finds_by_tags(mail: Run) -> None:
    groups = {g.inputs["name"].rsplit("-", 1)[-1]: g for g in mail.of("Group") if "-mta-" in g.inputs["name"]}
    for letter, group in groups.items():
        spools = [v.inputs for v in mail.of("Volume") if v.inputs["availabilityZone"].endswith(letter)]
        assert len(spools) == group.inputs["maxSize"]
        for spool in spools:
            assert spool["encrypted"] is True
            assert spool["type"] == "gp3"
            tags = spool["tags"]
            assert (tags["Tier"], tags["Purpose"], tags["Zone"]) == ("mta", "spool", spool["availabilityZone"])


def test_every_proxy_has_an_interface_and_every_address_is_on_one(mail: Run) -> None:
    proxies = sum(g.inputs["maxSize"] for g in mail.of("Group") if "-proxy-" in g.inputs["name"])
    slots = {f"{each.id}": each.inputs for each in mail.of("NetworkInterface")}
    assert len(slots) == proxies
    taken = set()
    for association in (each.inputs for each in mail.of("EipAssociation")):
        slot = slots[association["networkInterfaceId"]]
        assert association["privateIpAddress"] in slot["privateIps"]
        assert association["allowReassociation"] is True
        taken.add((association["networkInterfaceId"], association["privateIpAddress"]))
    assert len(taken) == len(mail.of("EipAssociation")) == len(mail.of("Eip"))
    for slot in slots.values():
        tags = slot["tags"]
        assert (tags["Tier"], tags["Purpose"], tags["Zone"][-1]) == ("proxy", "sending", tags["Name"].split("-")[1])
        assert slot["privateIp"] == slot["privateIps"][0]
        assert slot["securityGroups"] == ["aws:ec2/securityGroup:SecurityGroup::proxy"]


def test_each_address_has_an_ehlo_name_that_leads_to_it(mail: Run) -> None:
    domain = mail.outputs["domain"]
    addresses = mail.outputs["sending_addresses"]
    assert len(mail.of("Eip")) == len(addresses)
    assert {f"{host}.{domain}": [address] for host, address in addresses.items()} == records(mail, "A")


def test_the_way_back_from_an_address_leads_to_its_ehlo_name(mail: Run) -> None:
    names = {r.inputs["allocationId"]: r.inputs["domainName"] for r in mail.of("EipDomainName")}
    domain = mail.outputs["domain"]
    assert sorted(names.values()) == sorted(f"{host}.{domain}" for host in mail.outputs["sending_addresses"])
    assert len(names) == len(mail.of("Eip"))


def test_an_address_is_tagged_with_its_ehlo_name_zone_and_pool(mail: Run) -> None:
    for eip in mail.of("Eip"):
        tags = eip.inputs["tags"]
        assert (tags["Tier"], tags["Pool"], tags["Name"]) == ("proxy", "shared", eip.name)
        assert tags["Ehlo"] == f"{eip.name}.{mail.outputs['domain']}"
        assert tags["Zone"].startswith("us-east-1")
        assert eip.inputs["domain"] == "vpc"


def test_the_domain_has_what_providers_look_up(mail: Run) -> None:
    domain = mail.outputs["domain"]
    texts = records(mail, "TXT")
    addresses = mail.outputs["sending_addresses"]
    # A text longer than 255 octets is cut into strings, which readers join.
    spf = texts[domain][0].replace('""', "")
    assert spf.split()[0] == "v=spf1"
    assert set(spf.split()[1:-1]) == {f"ip4:{address}" for address in addresses.values()}
    assert spf.split()[-1] == "-all"
    assert texts[f"p1._domainkey.{domain}"][0].startswith("v=DKIM1; k=rsa; p=")
    assert texts[f"_dmarc.{domain}"][0].startswith("v=DMARC1; p=")
    assert records(mail, "MX")[domain] == [f"10 {host}.{domain}" for host in addresses]
    assert all(texts[f"{host}.{domain}"] == ["v=spf1 a -all"] for host in addresses)


def test_mtas_take_what_the_plan_says_and_send_nothing_to_the_internet(
    runs_of: Callable[..., StackRuns],
) -> None:
    mail = runs_of("local")["mail"]
    proxies = "aws:ec2/securityGroup:SecurityGroup::proxy"
    assert open_ports(mail, "mta", "Ingress") == {
        ("tcp", 587, "10.20.255.0/24"),
        ("tcp", 587, "aws:ec2/securityGroup:SecurityGroup::front-door"),
        ("tcp", 8025, "10.20.0.0/16"),
        ("tcp", 22, "10.20.255.0/24"),
    }
    assert open_ports(mail, "mta", "Egress") == {
        ("tcp", 1080, proxies),
        ("tcp", 8025, "aws:ec2/securityGroup:SecurityGroup::mta"),
        ("udp", 53, "10.21.0.0/16"),
        ("tcp", 53, "10.21.0.0/16"),
        ("tcp", 80, "pl-mail-s3"),
        ("tcp", 443, "pl-mail-s3"),
    }


def test_proxies_are_spoken_to_by_mtas_and_speak_smtp_to_anybody(runs_of: Callable[..., StackRuns]) -> None:
    mail = runs_of("local")["mail"]
    mtas = "aws:ec2/securityGroup:SecurityGroup::mta"
    assert open_ports(mail, "proxy", "Ingress") == {
        ("tcp", 1080, mtas),
        ("tcp", 1081, "10.20.0.0/16"),
        ("tcp", 22, "10.20.255.0/24"),
    }
    assert open_ports(mail, "proxy", "Egress") == {
        ("tcp", 25, "0.0.0.0/0"),
        ("udp", 53, "10.21.0.0/16"),
        ("tcp", 53, "10.21.0.0/16"),
        ("tcp", 80, "pl-mail-s3"),
        ("tcp", 443, "pl-mail-s3"),
    }


def test_mtas_are_private_and_proxies_public(mail: Run) -> None:
    subnets = {g.inputs["name"].split("-")[-2]: g.inputs["vpcZoneIdentifiers"][0] for g in mail.of("Group")}
    assert "private" in subnets["mta"]
    assert "public" in subnets["proxy"]


def associations(run: Run) -> dict[str, tuple[str, str]]:
    """Slot and private address by sending address."""
    return {
        each.name: (each.inputs["networkInterfaceId"].rsplit("::")[-1], each.inputs["privateIpAddress"])
        for each in run.of("EipAssociation")
    }


def with_proxies(**changes: Any) -> Run:
    """Stack local with other settings of its proxies."""
    config = stack_config("mail", "local")
    config["mail:settings"]["proxy"] |= changes
    network = run_program("network", "local", stack_config("network", "local"))
    return run_program("mail", "local", config, references={"organization/network/local": network.outputs})


def test_a_moved_address_keeps_its_name_and_no_other_changes_its_place() -> None:
    before, after = associations(with_proxies()), associations(with_proxies(moved={"mail-a": "proxy-b"}))
    assert before["mail-a"] == ("proxy-a", "10.20.24.0")
    assert after["mail-a"] == ("proxy-b", "10.20.56.2")
    assert {name: at for name, at in before.items() if name != "mail-a"} == {
        name: at for name, at in after.items() if name != "mail-a"
    }


def test_more_addresses_than_an_account_has_are_asked_for_before_they_are_allocated() -> None:
    (quota,) = with_proxies().of("ServiceQuota")
    assert (quota.inputs["serviceCode"], quota.inputs["quotaCode"], quota.inputs["value"]) == ("ec2", "L-0263D0A3", 10)
    assert with_proxies(addresses=1, elastic_ip_quota=5).of("ServiceQuota") == []


def test_scale_in_waits_for_a_drain_in_every_group_of_mtas(mail: Run) -> None:
    hooks = {hook.inputs["autoscalingGroupName"]: hook.inputs for hook in mail.of("LifecycleHook")}
    assert set(hooks) == {g.inputs["name"] for g in mail.of("Group") if "-mta-" in g.inputs["name"]}
    (queue,) = mail.of("Queue")
    assert queue.inputs["sqsManagedSseEnabled"] is True
    for hook in hooks.values():
        assert hook["lifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
        assert (hook["heartbeatTimeout"], hook["defaultResult"]) == (600, "CONTINUE")
        assert hook["notificationTargetArn"] == queue_arn(mail)
    (policy,) = mail.of("RolePolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert statement["Resource"] == queue_arn(mail)
    assert set(statement["Action"]) == {"sqs:SendMessage", "sqs:GetQueueUrl"}


def queue_arn(mail: Run) -> str:
    return f"arn:aws:::{mail.of('Queue')[0].name}"


def with_front_door(stack: str, **changes: Any) -> Run:
    """The project with other settings of its front door; None takes it away."""
    config = stack_config("mail", stack)
    settings = config["mail:settings"]
    settings["front_door"] = None if changes.get("front_door", True) is None else settings["front_door"] | changes
    network = run_program("network", stack, stack_config("network", stack), preview=stack != "local")
    references = {f"organization/network/{stack}": network.outputs}
    return run_program("mail", stack, config, references=references, preview=stack != "local")


def test_the_front_door_is_a_network_balancer_in_every_zones_public_subnet(mail: Run) -> None:
    (balancer,) = [each.inputs for each in mail.of("LoadBalancer")]
    assert balancer["loadBalancerType"] == "network"
    assert len(balancer["name"]) <= 32
    zones = {g.inputs["name"].rsplit("-", 1)[-1] for g in mail.of("Group")}
    assert {subnet.rsplit("-", 1)[-1] for subnet in balancer["subnets"]} == zones
    assert all("public" in subnet for subnet in balancer["subnets"])
    assert balancer["securityGroups"] == ["aws:ec2/securityGroup:SecurityGroup::front-door"]


def test_submission_is_tls_on_587_and_465_with_a_certificate_that_is_issued(mail: Run) -> None:
    listeners = {each.inputs["port"]: each.inputs for each in mail.of("Listener")}
    assert set(listeners) == {587, 465}
    (certificate,) = mail.of("Certificate")
    assert certificate.inputs["domainName"] == mail.outputs["submission_host"] == f"smtp.{mail.outputs['domain']}"
    for listener in listeners.values():
        assert listener["protocol"] == "TLS"
        assert listener["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        # What the validation gives, so that no listener comes before the certificate is issued.
        assert listener["certificateArn"] == "arn:aws:::submission"
        assert listener["tcpIdleTimeoutSeconds"] == 350
    (validation,) = mail.of("CertificateValidation")
    assert validation.inputs["validationRecordFqdns"] == ["submission-validation"]


def test_every_mta_group_and_no_other_belongs_to_the_target_group(mail: Run) -> None:
    (target_group,) = mail.of("TargetGroup")
    for group in mail.of("Group"):
        arns = group.inputs.get("targetGroupArns") or []
        assert arns == (["arn:aws:::front-door-587"] if "-mta-" in group.inputs["name"] else [])
    inputs = target_group.inputs
    assert (inputs["port"], inputs["proxyProtocolV2"], inputs["preserveClientIp"]) == (587, True, "false")
    assert inputs["targetHealthStates"] == [{"enableUnhealthyConnectionTermination": False}]
    check = inputs["healthCheck"]
    assert (check["protocol"], check["port"], check["path"]) == ("HTTP", "8025", "/ready")


def test_the_name_is_an_alias_to_the_balancer(mail: Run) -> None:
    (alias,) = [r.inputs for r in mail.of("Record") if "aliases" in r.inputs]
    assert alias["name"] == mail.outputs["submission_host"]
    assert alias["aliases"] == [
        {"name": "front-door.elb.us-east-1.amazonaws.com", "zoneId": "Z26RNL4JYFTOTI", "evaluateTargetHealth": True}
    ]


def test_the_front_door_lets_clients_in_and_talks_with_mtas_alone(runs_of: Callable[..., StackRuns]) -> None:
    mail = runs_of("local")["mail"]
    mtas = "aws:ec2/securityGroup:SecurityGroup::mta"
    assert open_ports(mail, "front-door", "Ingress") == {
        ("tcp", 587, "10.20.255.0/24"),
        ("tcp", 465, "10.20.255.0/24"),
    }
    assert open_ports(mail, "front-door", "Egress") == {("tcp", 587, mtas), ("tcp", 8025, mtas)}


def test_returning_mail_is_let_in_where_the_mtas_have_a_port_for_it() -> None:
    mail = with_front_door("local", internal=False, returns_port=2525)
    listeners = {each.inputs["port"]: each.inputs for each in mail.of("Listener")}
    assert listeners[25]["protocol"] == "TCP"
    assert {group.inputs["port"] for group in mail.of("TargetGroup")} == {587, 2525}
    assert ("tcp", 25, "0.0.0.0/0") in open_ports(mail, "front-door", "Ingress")
    front_door = "aws:ec2/securityGroup:SecurityGroup::front-door"
    assert ("tcp", 2525, front_door) in open_ports(mail, "mta", "Ingress")


@pytest.mark.parametrize("passed", [[465], [465, 587]])
def test_tls_of_ports_that_are_passed_on_ends_at_the_mtas(passed: list[int]) -> None:
    mail = with_front_door("local", mta_tls_ports=passed)
    ended = {587, 465} - set(passed)
    groups = {f"arn:aws:::{group.name}": group.inputs for group in mail.of("TargetGroup")}
    assert {group["port"] for group in groups.values()} == {465} | ({587} if ended else set())
    for listener in (each.inputs for each in mail.of("Listener")):
        here = listener["port"] in ended
        assert listener["protocol"] == ("TLS" if here else "TCP")
        assert ("certificateArn" in listener, "sslPolicy" in listener) == (here, here)
        (action,) = listener["defaultActions"]
        assert groups[action["targetGroupArn"]]["port"] == (587 if here else 465)
    assert all(group["proxyProtocolV2"] for group in groups.values())
    assert len(mail.of("Certificate")) == len(ended)
    assert ("tcp", 465, "aws:ec2/securityGroup:SecurityGroup::front-door") in open_ports(mail, "mta", "Ingress")
    for group in mail.of("Group"):
        assert set(group.inputs.get("targetGroupArns") or ()) == (
            set(groups) if "-mta-" in group.inputs["name"] else set()
        )


def test_a_stack_may_have_no_front_door() -> None:
    mail = with_front_door("local", front_door=None)
    assert mail.of("LoadBalancer", "TargetGroup", "Listener", "Certificate") == []
    assert mail.outputs["submission_host"] == ""

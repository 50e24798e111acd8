"""Facts of the project `mail`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.pulumi.conftest import StackRuns
from tests.pulumi.mocks_engine import Run


@pytest.fixture
def mail(runs: StackRuns) -> Run:
    return runs["mail"]


def records(run: Run, kind: str) -> dict[str, list[str]]:
    return {r.inputs["name"]: r.inputs["records"] for r in run.of("Record") if r.inputs["type"] == kind}


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


def test_every_proxy_has_an_address_and_each_address_an_ehlo_name_that_leads_to_it(mail: Run) -> None:
    proxies = sum(g.inputs["maxSize"] for g in mail.of("Group") if "-proxy-" in g.inputs["name"])
    domain = mail.outputs["domain"]
    addresses = mail.outputs["sending_addresses"]
    assert len(mail.of("Eip")) == len(addresses) == proxies
    assert {f"{host}.{domain}": [address] for host, address in addresses.items()} == records(mail, "A")


def test_the_way_back_from_an_address_leads_to_its_ehlo_name(mail: Run) -> None:
    names = {r.inputs["allocationId"]: r.inputs["domainName"] for r in mail.of("EipDomainName")}
    domain = mail.outputs["domain"]
    assert sorted(names.values()) == sorted(f"{host}.{domain}" for host in mail.outputs["sending_addresses"])
    assert len(names) == len(mail.of("Eip"))


def test_an_address_is_tagged_with_its_proxy_zone_and_pool(mail: Run) -> None:
    for eip in mail.of("Eip"):
        tags = eip.inputs["tags"]
        assert (tags["Tier"], tags["Pool"], tags["Name"]) == ("proxy", "shared", eip.name)
        assert tags["Zone"].startswith("us-east-1")
        assert eip.inputs["domain"] == "vpc"


def test_the_domain_has_what_providers_look_up(mail: Run) -> None:
    domain = mail.outputs["domain"]
    texts = records(mail, "TXT")
    addresses = mail.outputs["sending_addresses"]
    (spf,) = texts[domain]
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
        ("tcp", 8025, "10.20.0.0/16"),
        ("tcp", 22, "10.20.255.0/24"),
    }
    assert open_ports(mail, "mta", "Egress") == {
        ("tcp", 1080, proxies),
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

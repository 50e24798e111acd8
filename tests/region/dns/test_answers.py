"""All zones of the box together."""

import datetime
from pathlib import Path
from typing import Any

import dns.name
import pytest
from postroad_region.dns.answers import Answers, answers
from postroad_region.dns.desired import DnsDesired, HostedZone, ProviderZone, Vpc
from postroad_region.dns.signing import Signer

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


def hosted(name: str, *servers: str, zone_id: str = "Z1", **more: Any) -> HostedZone:
    values = [{"Value": server} for server in servers or ("ns-1.awsdns-64.com",)]
    return HostedZone(zone_id, name, [{"Name": name, "Type": "NS", "TTL": 300, "ResourceRecords": values}], **more)


def of(folder: Path, *zones: HostedZone, **more: Any) -> Answers:
    return answers(DnsDesired(zones, **more), Signer(folder), now=NOW)


def text(texts: Any, name: str) -> list[str]:
    return [line for line in texts[dns.name.from_text(name)].splitlines() if "RRSIG" not in line and "NSEC" not in line]


def test_a_zone_below_a_hosted_one_is_that_one_s_to_delegate(tmp_path: Path) -> None:
    result = of(tmp_path, hosted("postroad.test."), hosted("mail.postroad.test.", zone_id="Z2"))
    assert dns.name.from_text("mail.postroad.test.") in result.authority
    assert not [line for line in text(result.parents, "test.") if line.startswith("mail.postroad.test.")]


def test_a_zone_below_nothing_hosted_is_delegated_by_the_domain(tmp_path: Path) -> None:
    result = of(tmp_path, hosted("a.b.test."))
    assert "a.b.test. 300 IN NS ns-1.awsdns-64.com." in text(result.parents, "test.")


@pytest.mark.parametrize("server", [".", "localhost", "test."])
def test_a_server_without_a_domain_does_not_break_the_tree(tmp_path: Path, server: str) -> None:
    result = of(tmp_path, hosted("postroad.test.", server))
    assert "postroad.test. 300 IN NS ns-0.awsdns-00.com." in text(result.parents, "test.")


def test_a_server_inside_its_own_zone_has_glue(tmp_path: Path) -> None:
    result = of(tmp_path, hosted("postroad.test.", "ns1.postroad.test"))
    assert "ns1.postroad.test. 300 IN A 198.51.100.53" in text(result.parents, "test.")


def test_a_private_zone_is_in_its_vpcs_and_nowhere_else(tmp_path: Path) -> None:
    vpcs = [Vpc(f"vpc-{name}", f"10.2{name}.0.2", ()) for name in "01"]
    zone = hosted("postroad.internal.", private=True, vpc_ids=("vpc-1",))
    result = of(tmp_path, zone, vpcs=vpcs)
    name = dns.name.from_text("postroad.internal.")
    assert {vpc: name in zones for vpc, zones in result.private.items()} == {"vpc-0": False, "vpc-1": True}
    assert name not in result.authority


def test_a_hosted_zone_with_a_provider_s_name_is_left_out(tmp_path: Path) -> None:
    result = of(tmp_path, hosted("gmail.test."), provider_zones=[ProviderZone("gmail.test", "198.51.100.54", ())])
    assert [problem.reason for problem in result.problems] == ["somebody else on the box's internet has it"]
    assert "gmail.test. 300 IN NS ns1.gmail.test." in text(result.authority, "gmail.test.")


def test_equal_wishes_have_equal_answers(tmp_path: Path) -> None:
    assert of(tmp_path, hosted("postroad.test.")) == of(tmp_path, hosted("postroad.test."))

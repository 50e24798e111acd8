"""Names of load balancers are in the public tree, and aliases to them answer."""

import datetime
from pathlib import Path

from postroad_region.dns.answers import answers
from postroad_region.dns.balancer_names import balancer_zones
from postroad_region.dns.desired import DnsDesired, HostedZone
from postroad_region.dns.names import name_from_route53
from postroad_region.dns.signing import Signer

NAME = "front-0123456789abcdef.elb.us-east-1.amazonaws.com"
NAMES = {NAME: ["198.18.113.7", "198.18.113.8"], f"us-east-1a.{NAME}": ["198.18.113.7"], "other.test": ["192.0.2.1"]}


def test_all_names_of_a_region_are_one_zone_with_those_of_single_zones() -> None:
    (zone,) = balancer_zones(NAMES)
    assert zone.name == "elb.us-east-1.amazonaws.com"
    assert {r["Name"]: [v["Value"] for v in r["ResourceRecords"]] for r in zone.record_sets} == {
        NAME: ["198.18.113.7", "198.18.113.8"],
        f"us-east-1a.{NAME}": ["198.18.113.7"],
    }


def test_a_balancer_without_an_address_has_no_record() -> None:
    assert balancer_zones({NAME: []}) == []


def test_the_zone_is_delegated_and_an_alias_record_leads_to_the_balancer(tmp_path: Path) -> None:
    alias = {
        "Name": "smtp.postroad.test.",
        "Type": "A",
        "AliasTarget": {"DNSName": f"{NAME}.", "HostedZoneId": "Z26RNL4JYFTOTI", "EvaluateTargetHealth": True},
    }
    hosted = HostedZone("Z1", "postroad.test.", [alias])
    desired = DnsDesired(hosted_zones=[hosted, *balancer_zones(NAMES)], alias_targets=NAMES)
    found = answers(desired, Signer(tmp_path), now=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    assert found.problems == ()
    text = found.authority[name_from_route53("postroad.test.")]
    assert {line.split()[-1] for line in text.splitlines() if line.startswith("smtp")} == {
        "198.18.113.7",
        "198.18.113.8",
    }
    assert "elb.us-east-1" in found.parents[name_from_route53("com.")]

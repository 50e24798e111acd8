"""Hosted zones become what Route 53 would answer."""

import subprocess
from pathlib import Path
from typing import Any

import dns.name
import pytest
from postroad_region.dns.desired import HostedZone
from postroad_region.dns.route53 import name_servers, zone_of


def records(name: str, kind: str, *values: str, ttl: int = 300, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values], **more}


def alias(name: str, target: str, kind: str = "A") -> dict[str, Any]:
    target_of = {"HostedZoneId": "Z", "DNSName": target, "EvaluateTargetHealth": False}
    return {"Name": name, "Type": kind, "AliasTarget": target_of}


def lines(*record_sets: dict[str, Any], **targets: list[str]) -> list[str]:
    zone, problems = zone_of(HostedZone("Z1", "postroad.test.", record_sets), targets)
    assert problems == []
    return [line for line in zone.text().splitlines() if not line.startswith("postroad.test. ")]


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("A", "198.18.113.9", "198.18.113.9"),
        ("AAAA", "2001:DB8::1", "2001:db8::1"),
        ("CNAME", "other.postroad.test", "other.postroad.test."),
        ("MX", "10 mx.postroad.test", "10 mx.postroad.test."),
        ("NS", "ns.other.test.", "ns.other.test."),
        ("PTR", "host.postroad.test", "host.postroad.test."),
        ("SRV", "1 2 587 mta.postroad.test", "1 2 587 mta.postroad.test."),
        ("CAA", '0 issue "ca.test"', '0 issue "ca.test"'),
        ("TXT", '"v=spf1 -all"', '"v=spf1 -all"'),
        ("TXT", r'"semi;colon \"quoted\" \052"', r'"semi;colon \"quoted\" *"'),
        ("SPF", '"v=spf1 -all"', '"v=spf1 -all"'),
        ("TLSA", "3 1 1 " + "ab" * 32, "3 1 1 " + "ab" * 32),
        ("SSHFP", "4 2 " + "cd" * 32, "4 2 " + "cd" * 32),
        ("DS", "1 13 2 " + "ef" * 32, "1 13 2 " + "ef" * 32),
        ("NAPTR", '10 10 "U" "E2U+sip" "!^.*$!sip:a@b.test!" .', '10 10 "U" "E2U+sip" "!^.*$!sip:a@b.test!" .'),
        ("HTTPS", "1 . alpn=h2", '1 . alpn="h2"'),
    ],
)
def test_every_type_is_written(kind: str, value: str, written: str) -> None:
    assert lines(records("x.postroad.test.", kind, value)) == [f"x.postroad.test. 300 IN {kind} {written}"]


def test_a_wildcard_is_one() -> None:
    assert lines(records(r"\052.postroad.test.", "A", "198.18.113.9")) == ["*.postroad.test. 300 IN A 198.18.113.9"]


def test_a_new_zone_has_what_route_53_writes_itself() -> None:
    zone, _ = zone_of(HostedZone("Z1", "postroad.test", [records("postroad.test.", "SOA", "{'Value': 'x'}")]), {})
    assert zone.text().splitlines() == [
        "postroad.test. 900 IN SOA ns-0.awsdns-00.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
        "postroad.test. 172800 IN NS ns-0.awsdns-00.com.",
    ]


def test_the_zone_s_own_soa_and_servers_are_kept() -> None:
    soa = "ns-1.awsdns-64.com. hostmaster.postroad.test. 1 7200 900 1209600 60"
    zone, _ = zone_of(
        HostedZone(
            "Z1",
            "postroad.test.",
            [
                records("postroad.test.", "SOA", soa, ttl=900),
                records("postroad.test.", "NS", "ns-1.awsdns-64.com", "ns-2.awsdns-65.net"),
            ],
        ),
        {},
    )
    assert zone.text().startswith(f"postroad.test. 900 IN SOA {soa}\n")
    assert [each.to_text() for each in name_servers(zone)] == ["ns-1.awsdns-64.com.", "ns-2.awsdns-65.net."]


@pytest.mark.parametrize(
    ("record_set", "reason"),
    [
        (records("x.postroad.test.", "A", "10.20.0.300"), "is no A value"),
        (records("x.postroad.test.", "A"), "has no value"),
        (records("x.postroad.test.", "TXT", '"open'), "quote"),
        (records("x.other.test.", "A", "198.18.113.1"), "outside the zone"),
        (records("x..postroad.test.", "A", "198.18.113.1"), "empty label"),
        (records("postroad.test.", "CNAME", "x.test"), "CNAME stands beside"),
        (records("x.postroad.test.", "CNAME", "a.test", "b.test"), "one CNAME record at most"),
        (records("x.postroad.test.", "NONSENSE", "1"), "is no NONSENSE value"),
        (alias("x.postroad.test.", "gone.elb.us-east-1.amazonaws.com."), "nothing is known of its target"),
        (alias("x.postroad.test.", "x.postroad.test."), "nothing is known of its target"),
    ],
)
def test_a_bad_record_is_named_and_the_rest_is_served(record_set: dict[str, Any], reason: str) -> None:
    good = [
        records("postroad.test.", "NS", "ns-1.awsdns-64.com"),
        records("good.postroad.test.", "A", "198.18.113.1"),
    ]
    zone, problems = zone_of(HostedZone("Z1", "postroad.test.", [*good, record_set]), {})
    assert "good.postroad.test. 300 IN A 198.18.113.1" in zone.text()
    assert [reason in problem.reason for problem in problems] == [True]
    assert record_set["Name"] in str(problems[0])


def test_an_alias_has_the_addresses_of_its_target() -> None:
    targets = {"front.elb.us-east-1.amazonaws.com": ["198.18.113.1", "198.18.113.2"]}
    chain = [alias("b.postroad.test.", "a.postroad.test."), alias("a.postroad.test.", next(iter(targets)))]
    assert lines(*chain, **targets) == [
        f"{name}.postroad.test. 60 IN A 198.18.113.{last}" for name in "ab" for last in (1, 2)
    ]


def test_weighted_records_are_served_together_but_for_those_of_weight_0() -> None:
    sets = [
        records("x.postroad.test.", "A", f"198.18.113.{weight}", SetIdentifier=str(weight), Weight=weight)
        for weight in (0, 1, 9)
    ]
    assert [line.split()[-1] for line in lines(*sets)] == ["198.18.113.1", "198.18.113.9"]
    assert [line.split()[-1] for line in lines(sets[0])] == ["198.18.113.0"]


def test_equal_zones_have_equal_texts() -> None:
    sets = [
        records("b.postroad.test.", "A", "198.18.113.2", "198.18.113.1"),
        records("a.postroad.test.", "A", "198.18.113.3"),
    ]
    swapped = [sets[1], records("b.postroad.test.", "A", "198.18.113.1", "198.18.113.2")]
    assert lines(*sets) == lines(*swapped)


def test_a_hosted_zone_is_read_from_what_boto3_answers() -> None:
    zone = {"Id": "/hostedzone/Z7", "Name": "postroad.internal.", "Config": {"PrivateZone": True}}
    assert HostedZone.of(zone, [], [{"VPCRegion": "us-east-1", "VPCId": "vpc-1"}]) == HostedZone(
        "Z7", "postroad.internal.", [], private=True, vpc_ids=("vpc-1",)
    )


def test_nsd_accepts_what_is_written(tmp_path: Path) -> None:
    zone, problems = zone_of(
        HostedZone(
            "Z1",
            "postroad.test.",
            [
                records(r"\052.postroad.test.", "TXT", r'"\001\"; \\ \344"', '"' + "k" * 700 + '"'),
                records(r"a\056b\042\100.postroad.test.", "A", "198.18.113.9"),
                records("s._domainkey.postroad.test.", "TXT", '"v=DKIM1; p=' + "A" * 400 + '"'),
            ],
        ),
        {},
    )
    assert problems == []
    file = tmp_path / "zone"
    file.write_text(zone.text())
    subprocess.run(["nsd-checkzone", "postroad.test", file], check=True)
    assert zone.parsed().origin == dns.name.from_text("postroad.test.")

"""The world's file: what it means, and what is wrong with a bad one."""

import contextlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postroad_region.errors import RegionError
from postroad_region.world import World, addresses, load_world, provider_zones, reverse_names
from postroad_region.world.definition import DEFAULT_FILE, Provider
from postroad_region.world.definition.values import seconds


def provider(**changes: Any) -> dict[str, Any]:
    return {
        "name": "gmail",
        "domain": "gmail.test",
        "name_server": "198.51.100.54",
        "mx": [{"host": "mx.gmail.test", "address": "198.51.100.25"}],
    } | changes


def written(folder: Path, content: Any) -> Path:
    file = folder / "world.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


def test_the_file_that_comes_with_the_region_is_right() -> None:
    world = load_world()
    assert len(world.providers) >= 5
    names = [zone.name for zone in provider_zones(world)]
    assert {"gmail.test", "outlook.test", "yahoo.test", "aol.test", "bogus.test", "nullmx.test"} < set(names)
    assert {"198.51.100.1", "198.51.100.8", "198.51.100.53", "198.51.100.54"} < set(addresses(world))
    assert set(reverse_names(world)) < set(addresses(world))


def test_a_provider_s_zone_leads_to_its_hosts(tmp_path: Path) -> None:
    world = load_world(written(tmp_path, {"providers": [provider(records=['@ 300 IN TXT "v=spf1 -all"'])]}))
    assert provider_zones(world)[0].records == (
        "@ 300 IN MX 10 mx.gmail.test.",
        "mx.gmail.test. 300 IN A 198.51.100.25",
        '@ 300 IN TXT "v=spf1 -all"',
    )


def test_gmail_takes_all_from_fresh_addresses() -> None:
    gmail = load_world().providers[0]
    assert gmail.domain == "gmail.test"
    assert (gmail.reputation, gmail.greylist, gmail.checks.dmarc) == (None, None, "off")
    assert gmail.limits.messages_per_hour is not None
    assert gmail.limits.messages_per_hour.count >= 100_000


def records(tmp_path: Path, **changes: Any) -> list[str]:
    content = {"policy_address": "198.51.100.61", "providers": [provider(**changes)]}
    world = load_world(written(tmp_path, content))
    return [
        f"{zone.name} {record}"
        for zone in provider_zones(world, key_digest=lambda host: "ab" * 32)
        for record in zone.records
    ]


def test_a_provider_publishes_its_tls_policies(tmp_path: Path) -> None:
    hosts = [
        {"host": "mx.gmail.test", "address": "198.51.100.25", "preference": 5},
        {"host": "b.gmail.test", "address": "198.51.100.26", "dane": "wrong"},
    ]
    found = records(tmp_path, mx=hosts, dane="right", mta_sts={"mode": "testing"}, hosted_domains=["company.test"])
    assert "gmail.test _25._tcp.mx.gmail.test. 300 IN TLSA 3 1 1 " + "ab" * 32 in found
    assert any(" _25._tcp.b.gmail.test. " in each and not each.endswith("ab" * 32) for each in found)
    assert "gmail.test mta-sts 300 IN A 198.51.100.61" in found
    assert "company.test mta-sts 300 IN A 198.51.100.61" in found
    assert "company.test @ 300 IN MX 5 mx.gmail.test." in found
    (version,) = {each.split("id=")[1] for each in found if "v=STSv1; id=" in each}
    (other,) = {each.split("id=")[1] for each in records(tmp_path, mta_sts={}) if "v=STSv1; id=" in each}
    assert version != other


def test_a_policy_names_hosts_mode_and_age(tmp_path: Path) -> None:
    policy = Provider.model_validate(provider(mta_sts={"mode": "enforce", "max_age": "1d"})).policy()
    assert policy == "version: STSv1\r\nmode: enforce\r\nmx: mx.gmail.test\r\nmax_age: 86400\r\n"


def test_a_failing_provider_s_zones_stay_delegated_and_are_not_answered(tmp_path: Path) -> None:
    world = load_world(written(tmp_path, {"providers": [provider(hosted_domains=["company.test"])]}))
    assert [zone.answered for zone in provider_zones(world, failing=["gmail"])] == [False, False]
    assert [zone.answered for zone in provider_zones(world)] == [True, True]


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("1.5", 1.5), ("20m", 1200), ("1d12h", 129_600), ("0.5h", 1800), ("0", 0)]
)
def test_a_span_is_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


@given(st.text(max_size=10))
def test_no_text_breaks_a_span(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert seconds(text) >= 0


REPLY = "450 4.2.1 Later"
RULE = {"match": "x-*", "verdict": "late", "reply": REPLY}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"providers": []}, "providers: Tuple should have at least 1 item"),
        ({}, "providers: Field required"),
        ("", "the file: Input should be a valid dictionary"),
        ("a: [", "is no YAML"),
        ({"providers": [provider(colour="blue")]}, "providers[0].colour: 'blue' Extra inputs are not permitted"),
        ({"providers": [provider(domain="gmail.com")]}, "providers[0].domain: 'gmail.com' is no lower-case host name"),
        ({"providers": [provider(name="G mail")]}, "providers[0].name: 'G mail' String should match pattern"),
        ({"providers": [provider(name_server="192.0.2.1")]}, "'192.0.2.1' is outside 198.51.100.0/24; take"),
        ({"providers": [provider(name_server="198.51.100.53")]}, "is the hosted zones' name server's address"),
        ({"providers": [provider(name_server="here")]}, "providers[0].name_server: 'here' is no IPv4 address"),
        ({"providers": [provider(mx=[])]}, "providers[0].mx: Tuple should have at least 1 item"),
        (
            {"providers": [provider(mx=[{"host": "mx.else.test", "address": "198.51.100.25"}])]},
            "MX host mx.else.test is not below gmail.test",
        ),
        (
            {"providers": [provider(recipients=[RULE | {"reply": "550 4.1.1 x"}])]},
            "recipients[0].reply: '550 4.1.1 x' is no",
        ),
        (
            {"providers": [provider(recipients=[RULE | {"first_tries": 0}])]},
            "first_tries: 0 Input should be greater than",
        ),
        ({"providers": [provider(limits={"connections": {}})]}, "limits.connections.count: Field required"),
        ({"providers": [provider(replies={"unknwon": REPLY})]}, "replies: 'unknwon' is none of blocked, "),
        ({"providers": [provider(replies={"unknown": "no"})]}, "replies.unknown: 'no' is no reply"),
        ({"providers": [provider(recipients=[{"match": "x"}])]}, "needs either a verdict or one of trap, late"),
        ({"providers": [provider(recipients=[{"verdict": "x", "trap": True}])]}, "needs either a verdict or one of"),
        ({"providers": [provider(recipients=[{"verdict": "x"}])]}, "so it needs a reply"),
        ({"providers": [provider()], "recipients": [{"verdict": "x"}]}, "so it needs a reply"),
        ({"providers": [provider(mta_sts={})]}, "provider gmail has mta_sts, so policy_address must be given"),
        ({"providers": [provider(dane="right", dnssec="unsigned")]}, "needs dnssec: signed and TLS"),
        ({"providers": [provider(dane="right", tls="none")]}, "needs dnssec: signed and TLS"),
        ({"providers": [provider(checks={"dmarc": "enforce", "spf": False})]}, "checks.dmarc needs checks.spf"),
        ({"providers": [provider(greylist={"delay": "soon"})]}, "greylist.delay: 'soon' is no span of time"),
        ({"providers": [provider(reputation={"start": 2})]}, "reputation.start: 2 Input should be less"),
        ({"providers": [provider(hosted_domains=["gmail.test"])]}, "zone gmail.test is used twice"),
        (
            {"providers": [provider()], "policy_address": "198.51.100.25"},
            "address 198.51.100.25 is used twice",
        ),
        (
            {"providers": [provider()], "feedback_loops": [{"domain": "a.test", "address": "x"}]},
            "feedback_loops[0].address: 'x' is no mail address",
        ),
        (
            {"providers": [provider()], "incidents": [{"kind": "slow", "at": 0, "duration": 1, "provider": "x"}]},
            "incident's provider 'x' is none of gmail",
        ),
        (
            {
                "providers": [provider()],
                "incidents": [{"kind": "outage", "at": "1d", "duration": 1, "host": "mx.x.test"}],
            },
            "incident's host 'mx.x.test' is none of mx.gmail.test",
        ),
        ({"providers": [provider(records=["@ IN A"])]}, "zone gmail.test: @ IN A"),
        ({"providers": [provider(records=["@ 300 IN A nowhere"])]}, "is no A value"),
        ({"providers": [provider(tls="perhaps")]}, "providers[0].tls: 'perhaps' Input should be"),
        ({"providers": [provider(), provider()]}, "provider gmail is used twice"),
        ({"providers": [provider(), provider(name="other")]}, "zone gmail.test is used twice"),
        ({"providers": [provider(name_server="198.51.100.25")]}, "address 198.51.100.25 is used twice"),
        ({"providers": [provider()], "day": 0}, "day: 0 Input should be greater than 0"),
    ],
)
def test_a_fault_is_told_with_file_key_value_and_reason(tmp_path: Path, content: Any, fault: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(RegionError) as raised:
        load_world(file)
    assert str(file) in str(raised.value)
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"day.*providers\[0\]\.tls"):
        load_world(written(tmp_path, {"day": -1, "providers": [provider(tls="x")]}))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match="No such file"):
        load_world(tmp_path / "none.yaml")


def test_the_default_file_lies_in_the_package() -> None:
    assert DEFAULT_FILE.exists()


def test_a_file_can_be_checked_beforehand(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "postroad_region.world", "check", "--file"]
    good = subprocess.run([*check, str(DEFAULT_FILE)], capture_output=True, text=True, check=True)
    assert re.search(r": \d+ providers, \d+ zones, \d+ incidents$", good.stdout.strip())
    bad = subprocess.run([*check, str(written(tmp_path, {}))], capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "providers: Field required" in bad.stderr
    assert bad.stderr.count("\n") == 1


COUNTER = itertools.count()
KEYS = {*Provider.model_fields, *World.model_fields, "count", "match", "verdict", "host", "address", "delay", "spf"}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 70_000) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(KEYS)), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(Provider.model_fields)), JUNK, st.sampled_from(sorted(World.model_fields)), JUNK)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_in_a_file_is_a_world_or_told_in_one_line(
    tmp_path: Path, key: str, value: Any, other: str, junk: Any
) -> None:
    content = {"providers": [provider(**{key: value})]} | ({other: junk} if other != "providers" else {})
    file = written(tmp_path, content)
    os.utime(file, ns=(0, next(COUNTER)))
    try:
        load_world(file)
        told = str(file)
    except RegionError as error:
        told = str(error)
    assert str(file) in told
    assert "\n" not in told

"""The world's file: what it means, and what is wrong with a bad one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from postroad_region.errors import RegionError
from postroad_region.world import addresses, load_world, provider_zones, reverse_names
from postroad_region.world.definition import DEFAULT_FILE


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
    assert [each.domain for each in world.providers] == ["gmail.test"]
    assert [zone.name for zone in provider_zones(world)] == ["gmail.test", "bogus.test"]
    assert {"198.51.100.1", "198.51.100.8", "198.51.100.53", "198.51.100.54"} < set(addresses(world))
    assert set(reverse_names(world)) < set(addresses(world))


def test_a_provider_s_zone_leads_to_its_hosts(tmp_path: Path) -> None:
    world = load_world(written(tmp_path, {"providers": [provider(records=['@ 300 IN TXT "v=spf1 -all"'])]}))
    assert provider_zones(world)[0].records == (
        "@ 300 IN MX 10 mx.gmail.test.",
        "mx.gmail.test. 300 IN A 198.51.100.25",
        '@ 300 IN TXT "v=spf1 -all"',
    )


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
        ({"providers": [provider(name_server="192.0.2.1")]}, "'192.0.2.1' is outside 198.51.100.0/24"),
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
        ({"providers": [provider(limits={"connections": {"count": 1}})]}, "limits.connections.reply: Field required"),
        ({"providers": [provider(records=["@ IN A"])]}, "zone gmail.test: @ IN A"),
        ({"providers": [provider(records=["@ 300 IN A nowhere"])]}, "is no A value"),
        ({"providers": [provider(tls="perhaps")]}, "providers[0].tls: 'perhaps' Input should be"),
        ({"providers": [provider(), provider()]}, "provider gmail is used twice"),
        ({"providers": [provider(), provider(name="other")]}, "zone gmail.test is used twice"),
        ({"providers": [provider(name_server="198.51.100.25")]}, "address 198.51.100.25 is used twice"),
        ({"providers": [provider()], "hour": 0}, "hour: 0 Input should be greater than 0"),
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
    with pytest.raises(RegionError, match=r"hour.*providers\[0\]\.tls"):
        load_world(written(tmp_path, {"hour": -1, "providers": [provider(tls="x")]}))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match="No such file"):
        load_world(tmp_path / "none.yaml")


def test_the_default_file_lies_in_the_package() -> None:
    assert DEFAULT_FILE.exists()

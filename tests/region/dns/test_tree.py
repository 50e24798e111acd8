"""The tree above the zones."""

import dns.name
import dns.rdata
from postroad_region.dns.desired import AUTHORITY_ADDRESS, ROOT_ADDRESS
from postroad_region.dns.tree import Delegation, parent_zones, provider_zone, reverse_zones
from postroad_region.dns.zonefile import Zone, rdata

DS = "1 13 2 " + "ab" * 32


def ds_of(_: dns.name.Name) -> dns.rdata.Rdata:
    return rdata("DS", DS)


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def tree(*delegations: Delegation) -> dict[str, Zone]:
    return {zone.origin.to_text(): zone for zone in parent_zones(delegations, ds_of)}


def test_an_empty_internet_has_a_root_and_the_address_tree() -> None:
    zones = tree()
    assert sorted(zones) == [".", "arpa.", "in-addr.arpa.", "test."]
    assert "test. 300 IN DS" in zones["."].text()
    assert "in-addr.arpa. 300 IN DS" in zones["arpa."].text()
    assert f"a.root-servers.test. 300 IN A {ROOT_ADDRESS}" in zones["."].text()
    assert "100.51.198.in-addr.arpa. 300 IN NS ns.reverse.test." in zones["in-addr.arpa."].text()
    assert f"ns.reverse.test. 300 IN A {AUTHORITY_ADDRESS}" in zones["test."].text()


def test_a_hosted_zone_is_delegated_without_ds_to_servers_whose_domains_exist() -> None:
    servers = {name("ns-2048.awsdns-64.com."): AUTHORITY_ADDRESS, name("ns-1.awsdns-67.co.uk."): AUTHORITY_ADDRESS}
    zones = tree(Delegation(name("postroad.test."), servers))
    assert "postroad.test. 300 IN NS ns-2048.awsdns-64.com." in zones["test."].text()
    assert "postroad.test. 300 IN DS" not in zones["test."].text()
    assert f"ns-2048.awsdns-64.com. 300 IN A {AUTHORITY_ADDRESS}" in zones["com."].text()
    assert f"ns-1.awsdns-67.co.uk. 300 IN A {AUTHORITY_ADDRESS}" in zones["uk."].text()
    assert "com. 300 IN DS" in zones["."].text()


def test_a_provider_is_delegated_with_ds_and_glue() -> None:
    delegation = Delegation(name("gmail.test."), {name("ns1.gmail.test."): "198.51.100.54"}, (rdata("DS", DS),))
    text = tree(delegation)["test."].text()
    assert f"gmail.test. 300 IN DS {DS}" in text
    assert "ns1.gmail.test. 300 IN A 198.51.100.54" in text


def test_a_provider_s_zone_has_its_server_and_its_records() -> None:
    records = ["@ 300 IN MX 5 mx", "mx 300 IN A 198.51.100.25", '_dmarc 300 IN TXT "v=DMARC1; p=none"']
    zone, server, problems = provider_zone("gmail.test", records, "198.51.100.54")
    assert server == name("ns1.gmail.test.")
    assert problems == []
    assert {
        "gmail.test. 300 IN MX 5 mx.gmail.test.",
        "gmail.test. 300 IN NS ns1.gmail.test.",
        "mx.gmail.test. 300 IN A 198.51.100.25",
        '_dmarc.gmail.test. 300 IN TXT "v=DMARC1; p=none"',
    } <= set(zone.text().splitlines())


def test_a_line_that_is_no_record_is_a_problem() -> None:
    _, _, problems = provider_zone("gmail.test", ["@ IN A", "@ x IN A 198.51.100.1", "@ 1 IN A here"], "198.51.100.54")
    assert len(problems) == 3


def test_ptr_stand_in_their_network_s_zone() -> None:
    (internet, public), problems = reverse_zones(
        {"198.18.113.9": "mail-a.postroad.test", "198.51.100.25": "mx.gmail.test"}
    )
    assert problems == []
    assert "9.113.18.198.in-addr.arpa. 300 IN PTR mail-a.postroad.test." in public.text()
    assert "25.100.51.198.in-addr.arpa. 300 IN PTR mx.gmail.test." in internet.text()


def test_a_ptr_outside_the_box_is_a_problem() -> None:
    _, problems = reverse_zones({"192.0.2.1": "x.test", "nonsense": "x.test", "198.18.113.9": "a..b"})
    assert len(problems) == 3

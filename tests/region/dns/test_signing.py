"""The chain of trust of the box."""

import datetime
from pathlib import Path

import dns.dnssec
import dns.name
import dns.node
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest
from postroad_region.dns.signing import Signer
from postroad_region.dns.tree import Delegation, parent_zones, provider_zone
from postroad_region.dns.zonefile import Zone

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
GMAIL = dns.name.from_text("gmail.test.")


def gmail(address: str = "198.51.100.25") -> Zone:
    return provider_zone("gmail.test", [f"mx 300 IN A {address}"], "198.51.100.54")[0]


def rrset(zone: dns.zone.Zone, owner: dns.name.Name, kind: str, covers: str = "NONE") -> dns.rrset.RRset:
    rdataset = zone.get_rdataset(owner, kind, covers)
    assert rdataset is not None, f"{owner} has no {kind} {covers}"
    return dns.rrset.from_rdata_list(owner, rdataset.ttl, list(rdataset))


def validate(text: str, origin: dns.name.Name, owner: dns.name.Name, kind: str, at: datetime.datetime) -> None:
    zone = dns.zone.from_text(text, origin, relativize=False)
    keys: dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset] = {origin: rrset(zone, origin, "DNSKEY")}
    signatures = rrset(zone, owner, "RRSIG", kind)
    dns.dnssec.validate(rrset(zone, owner, kind), signatures, keys, now=at.timestamp())


def test_every_set_of_a_signed_zone_validates(tmp_path: Path) -> None:
    text = Signer(tmp_path).sign(gmail(), now=NOW)
    zone = dns.zone.from_text(text, GMAIL, relativize=False)
    checked = 0
    for owner, rdataset in zone.iterate_rdatasets():
        if rdataset.rdtype != dns.rdatatype.RRSIG:
            validate(text, GMAIL, owner, dns.rdatatype.to_text(rdataset.rdtype), NOW)
            checked += 1
    assert checked == 8


def test_the_parent_s_ds_is_of_the_child_s_key_and_the_anchor_of_the_root_s(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    delegation = Delegation(GMAIL, {dns.name.from_text("ns1.gmail.test."): "198.51.100.54"}, (signer.ds(GMAIL),))
    signed = {zone.origin: signer.sign(zone, now=NOW) for zone in parent_zones([delegation], signer.ds)}
    signed[GMAIL] = signer.sign(gmail(), now=NOW)
    test = dns.name.from_text("test.")
    for child, parent in ((GMAIL, test), (test, dns.name.root)):
        key = rrset(dns.zone.from_text(signed[child], child, relativize=False), child, "DNSKEY")[0]
        ds = rrset(dns.zone.from_text(signed[parent], parent, relativize=False), child, "DS")[0]
        assert dns.dnssec.make_ds(child, key, "SHA256") == ds
        validate(signed[parent], parent, child, "DS", NOW)
    root_key = rrset(
        dns.zone.from_text(signed[dns.name.root], dns.name.root, relativize=False), dns.name.root, "DNSKEY"
    )
    assert signer.trust_anchor() == f". 3600 IN DNSKEY {root_key[0].to_text()}\n"


def test_glue_and_delegations_are_not_signed_but_their_ds_is(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    server = dns.name.from_text("ns1.gmail.test.")
    delegation = Delegation(GMAIL, {server: "198.51.100.54"}, (signer.ds(GMAIL),))
    test = next(zone for zone in parent_zones([delegation], signer.ds) if zone.origin.to_text() == "test.")
    zone = dns.zone.from_text(signer.sign(test, now=NOW), test.origin, relativize=False)
    assert zone.get_rdataset(server, "RRSIG", "A") is None
    assert zone.get_rdataset(GMAIL, "RRSIG", "NS") is None
    assert zone.get_rdataset(GMAIL, "RRSIG", "DS") is not None


def test_keys_and_zones_are_kept(tmp_path: Path) -> None:
    first = Signer(tmp_path).sign(gmail(), now=NOW)
    assert Signer(tmp_path).sign(gmail(), now=NOW + datetime.timedelta(days=19)) == first
    assert (tmp_path / "keys/gmail.test.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("days", [20.1, 400])
def test_a_zone_is_signed_again_before_its_signatures_end(tmp_path: Path, days: float) -> None:
    signer = Signer(tmp_path)
    first = signer.sign(gmail(), now=NOW)
    later = NOW + datetime.timedelta(days=days)
    assert signer.sign(gmail(), now=later) != first
    validate(signer.sign(gmail(), now=later), GMAIL, GMAIL, "SOA", later + datetime.timedelta(days=9))


def test_a_changed_zone_is_signed_again(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    signer.sign(gmail(), now=NOW)
    changed = signer.sign(gmail("198.51.100.26"), now=NOW)
    validate(changed, GMAIL, dns.name.from_text("mx.gmail.test."), "A", NOW)
    assert "198.51.100.26" in changed


def test_a_torn_file_of_a_signed_zone_is_made_again(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    good = signer.sign(gmail(), now=NOW)
    (tmp_path / "signed/gmail.test.zone").write_text(good[:20])
    validate(signer.sign(gmail(), now=NOW), GMAIL, GMAIL, "SOA", NOW)


def test_a_stray_ds_fits_no_key_of_the_zone(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    assert signer.ds(GMAIL, stray=True) != signer.ds(GMAIL)
    assert signer.ds(GMAIL, stray=True) == Signer(tmp_path).ds(GMAIL, stray=True)

"""Write root.zone, good.zone, bad.zone and root.key into a folder: a signed root and two children, one broken."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdataset
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ed25519
from dns.dnssecalgs.eddsa import PrivateED25519

SERVER = "198.51.100.53"


def signed(origin: str, text: str) -> tuple[dns.zone.Zone, object]:
    """A zone signed with one fresh key, and its DNSKEY."""
    zone = dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False)
    key = PrivateED25519(ed25519.Ed25519PrivateKey.generate())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), algorithm=dns.dnssec.Algorithm.ED25519, flags=257)
    with zone.writer() as txn:
        dns.dnssec.sign_zone(
            zone,
            txn,
            keys=[(key, dnskey)],
            add_dnskey=True,
            dnskey_ttl=300,
            inception=datetime.now(UTC) - timedelta(hours=1),
            expiration=datetime.now(UTC) + timedelta(days=1),
        )
    return zone, dnskey


def child(name: str) -> tuple[dns.zone.Zone, object]:
    """A zone with one address."""
    return signed(
        name,
        f"$TTL 300\n{name} SOA ns.root. host.root. 1 300 300 300 300\n{name} NS ns.root.\nwww.{name} A 192.0.2.1\n",
    )


def main(folder: Path) -> None:
    """Sign and write."""
    good, good_key = child("good.test.")
    bad, _ = child("bad.test.")
    _, other_key = child("bad.test.")
    good_ds = dns.dnssec.make_ds(dns.name.from_text("good.test."), good_key, "SHA256")
    # The parent vouches for a key that didn't sign.
    bad_ds = dns.dnssec.make_ds(dns.name.from_text("bad.test."), other_key, "SHA256")
    root, root_key = signed(
        ".",
        "$TTL 300\n. SOA ns.root. host.root. 1 300 300 300 300\n. NS ns.root.\n"
        f"ns.root. A {SERVER}\n"
        f"good.test. NS ns.root.\ngood.test. DS {good_ds}\nbad.test. NS ns.root.\nbad.test. DS {bad_ds}\n",
    )
    for name, zone in (("root", root), ("good", good), ("bad", bad)):
        (folder / f"{name}.zone").write_text(zone.to_text(relativize=False))
    (folder / "root.key").write_text(f". 300 IN DNSKEY {root_key}\n")


main(Path(sys.argv[1]))

"""DNSSEC: keys kept for ever, zones signed for weeks.

One combined key a zone (ECDSA P-256, RFC 6605), kept in `keys/`: hosts that got the box's trust anchor once keep
validating. Signed zones are kept in `signed/`, and signed again when the zone changes or less than a third of the
time is left.
"""

import datetime
import hashlib
import re
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdtypes.ANY.DNSKEY
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from postroad_region.atomic_file import write_atomically
from postroad_region.dns.zonefile import Zone

_LIFETIME = datetime.timedelta(days=30)
# Signatures begin in the past: a host's clock may be behind.
_BACKDATED = datetime.timedelta(days=1)
_KEY_TTL = 3600
_HEADER = re.compile(r"; digest (\w+) until (\S+)\n")


class Signer:
    """Signs the zones of the box with the keys of one folder.

    Args:
        folder: gets `keys/` (owner only) and `signed/`.
    """

    def __init__(self, folder: Path) -> None:
        self._keys = folder / "keys"
        self._signed = folder / "signed"
        self._loaded: dict[str, tuple[ec.EllipticCurvePrivateKey, dns.rdtypes.ANY.DNSKEY.DNSKEY]] = {}

    def ds(self, zone: dns.name.Name, *, stray: bool = False) -> dns.rdata.Rdata:
        """What the parent publishes; `stray`: of a key that never signs the zone, which makes it bogus."""
        return dns.dnssec.make_ds(zone, self._key(zone, stray=stray)[1], "SHA256")

    def trust_anchor(self) -> str:
        """The root's key as a line of unbound's `trust-anchor-file`."""
        return f". {_KEY_TTL} IN DNSKEY {self._key(dns.name.root)[1].to_text()}\n"

    def sign(self, zone: Zone, *, now: datetime.datetime) -> str:
        """The zone's text with DNSKEY, NSEC and RRSIG, valid for at least ten days from `now`."""
        text = zone.text()
        private, public = self._key(zone.origin)
        digest = hashlib.sha256(f"{public.to_text()}\n{text}".encode()).hexdigest()
        file = self._signed / f"{file_name(zone.origin)}.zone"
        if (kept := _kept(file, digest, now)) is not None:
            return kept
        until = (now + _LIFETIME).replace(microsecond=0)
        parsed = zone.parsed()
        dns.dnssec.sign_zone(
            parsed,
            keys=[(private, public)],
            dnskey_ttl=_KEY_TTL,
            inception=now - _BACKDATED,
            expiration=until,
        )
        signed = f"; digest {digest} until {until.isoformat()}\n{parsed.to_text(relativize=False, want_origin=False)}"
        self._signed.mkdir(parents=True, exist_ok=True)
        write_atomically(file, signed)
        return signed

    def _key(
        self, zone: dns.name.Name, *, stray: bool = False
    ) -> tuple[ec.EllipticCurvePrivateKey, dns.rdtypes.ANY.DNSKEY.DNSKEY]:
        name = file_name(zone) + ("~stray" if stray else "")
        if name not in self._loaded:
            file = self._keys / f"{name}.pem"
            self._keys.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not file.exists():
                made = ec.generate_private_key(ec.SECP256R1())
                pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                write_atomically(file, pem, mode=0o600)
            private = load_pem_private_key(file.read_bytes(), None)
            if not isinstance(private, ec.EllipticCurvePrivateKey):
                raise ValueError(f"{file} holds no EC key; remove it and a new one will be made")
            public = dns.dnssec.make_dnskey(private.public_key(), "ECDSAP256SHA256", flags=257)
            self._loaded[name] = private, public
        return self._loaded[name]


def file_name(zone: dns.name.Name) -> str:
    """A zone's name as a file's name."""
    text = zone.to_text(omit_final_dot=True)
    return "root" if text == "." else re.sub(r"[^a-z0-9._-]", lambda match: f"%{ord(match[0]):02x}", text)


def _kept(file: Path, digest: str, now: datetime.datetime) -> str | None:
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    header = _HEADER.match(text)
    if header is None or header[1] != digest:
        return None
    until = datetime.datetime.fromisoformat(header[2])
    return text if until - now > _LIFETIME / 3 else None

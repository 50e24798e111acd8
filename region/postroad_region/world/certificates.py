"""Keys and certificates of the world's hosts, of the box's authority or not."""

import datetime
import hashlib
import os
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from postroad_region.atomic_file import write_atomically
from postroad_region.ca import Authority, ensure_authority

_LIFETIME = datetime.timedelta(days=825)
_LEFT = datetime.timedelta(days=60)
_EXPIRED_SINCE = datetime.timedelta(days=-7)
_OTHER_NAME = "mail.elsewhere.test"

Kind = Literal["valid", "expired", "self-signed", "wrong-name"]


@dataclass(frozen=True, slots=True)
class HostKeys:
    """Private keys by host name, kept for ever: what TLSA records pin stays true when a certificate is renewed.

    Args:
        folder: made when missing, owner only.
    """

    folder: Path

    def key(self, host: str) -> ec.EllipticCurvePrivateKey:
        """A host's key; whoever asks first makes it.

        Raises:
            ValueError: the file holds no EC key.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self.folder / f"{host}.key"
        if not file.exists():
            self._make(file)
        key = load_pem_private_key(file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{file} holds no EC key; remove it and a new one will be made")
        return key

    def digest(self, host: str) -> str:
        """What a TLSA record `3 1 1` says of the host: SHA-256 of its public key (RFC 6698 2.1)."""
        public = self.key(host).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(public).hexdigest()

    def _make(self, file: Path) -> None:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        new = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        write_atomically(new, pem, mode=0o600)
        try:
            # The daemon (for TLSA) and the world (for TLS) may both be first: one link succeeds.
            os.link(new, file)
        except FileExistsError:
            pass
        finally:
            new.unlink()


@dataclass(frozen=True, slots=True)
class Certificates:
    """Makes and keeps certificates.

    Args:
        authority: the box's.
        folder: gets certificates, and `stranger/`: an authority that nobody trusts.
    """

    authority: Authority
    keys: HostKeys
    folder: Path

    def context(self, kind: Kind, host: str) -> ssl.SSLContext:
        """What a host presents.

        A certificate is made anew at a start of the world when it isn't the authority's or less than 60 days are left.
        """
        file = self.folder / f"{host}-{kind}.pem"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = self.authority if kind != "self-signed" else ensure_authority(self.folder / "stranger")
        key = self.keys.key(host)
        if not _serves(file, authority, key, expired=kind == "expired"):
            issued = authority.issue(
                [_OTHER_NAME if kind == "wrong-name" else host],
                lifetime=_EXPIRED_SINCE if kind == "expired" else _LIFETIME,
                key=key,
            )
            write_atomically(file, issued.key + issued.chain, mode=0o600)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(file)
        return context


def _serves(file: Path, authority: Authority, key: ec.EllipticCurvePrivateKey, *, expired: bool) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        certificate.verify_directly_issued_by(authority.certificate)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return certificate.public_key() == key.public_key() and (expired or left > _LEFT)

"""The certificate authority of the box: what its servers present, and what hosts in it trust."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postroad_region.atomic_file import write_atomically

_LIFETIME = datetime.timedelta(days=3650)
_BACKDATED = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A server's certificate chain and private key, both PEM."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate and its key, as in the files `ca.crt` and `ca.key` of a folder."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def issue(
        self,
        names: Sequence[str],
        *,
        lifetime: datetime.timedelta = datetime.timedelta(days=90),
        now: datetime.datetime | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Issued:
        """A certificate for TLS servers that begins an hour before `now`; `names` are DNS names or addresses.

        A negative `lifetime` gives an expired certificate, which the simulated internet needs too. `key`: the server's,
        if it has one already.
        """
        now = now or datetime.datetime.now(datetime.UTC)
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now - _BACKDATED, now + lifetime - _BACKDATED))
            .not_valid_after(now + lifetime)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        chain = certificate.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)
        return Issued(chain, _private_pem(key))


def ensure_authority(folder: Path) -> Authority:
    """The authority of `folder`; made (ten years, ECDSA P-256) when either file is missing.

    Raises:
        ValueError: the files are there but don't hold an EC key and its certificate.
    """
    certificate_file, key_file = folder / "ca.crt", folder / "ca.key"
    if certificate_file.exists() and key_file.exists():
        key = load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
            raise ValueError(f"{folder}: ca.key isn't the key of ca.crt; remove both, they will be made again")
        return Authority(certificate, key)
    authority = _make()
    folder.mkdir(parents=True, exist_ok=True)
    # The key first: a folder with only a key gets both anew, so no certificate is ever trusted whose key is lost.
    write_atomically(key_file, _private_pem(authority.key), mode=0o600)
    write_atomically(certificate_file, authority.certificate.public_bytes(Encoding.PEM))
    return authority


def _make() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postroad region in a box")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)

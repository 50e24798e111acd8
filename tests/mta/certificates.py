"""Certificates for tests, as files."""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier


def self_signed(
    key: ec.EllipticCurvePrivateKey, name: str, others: Sequence[x509.GeneralName] = (), *, days: int = 30
) -> x509.Certificate:
    """A certificate for a name, or none, and other names."""
    subject = _name(name)
    builder = _begin(subject, subject, key.public_key(), days)
    if others:
        builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return builder.sign(key, hashes.SHA256())


def write_certificate(folder: Path, name: str = "mta.test", *, days: int = 30) -> tuple[Path, Path]:
    """A self-signed certificate for a name, and its key; both files are replaced as a whole."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key, name, [x509.DNSName(name)], days=days)
    chain_file, key_file = folder / "chain.pem", folder / "key.pem"
    for file, content in ((chain_file, _pem(certificate)), (key_file, _private(key))):
        new = file.with_suffix(".new")
        new.write_bytes(content)
        new.rename(file)
    return chain_file, key_file


SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Authority:
    """Issues certificates; its own is `NAME.pem` in the folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        signed = _begin(self._name, self._name, self._key.public_key(), 30).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(_pem(signed.sign(self._key, hashes.SHA256())))

    def issue(
        self, name: str, *, days: int = 30, usage: ObjectIdentifier = CLIENT, others: Sequence[x509.GeneralName] = ()
    ) -> Path:
        """A certificate and its key, as one file that is replaced as a whole."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _begin(_name(name), self._name, key.public_key(), days).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if others:
            builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
        file = self._folder / f"{name}.pem"
        new = file.with_suffix(".new")
        new.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())) + _private(key))
        return new.rename(file)

    def host(self, name: str, *, days: int = 30) -> Path:
        """The same for a server on this host's loopback."""
        local = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        return self.issue(name, days=days, usage=SERVER, others=local)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)

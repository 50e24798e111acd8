"""Make what a vault would hold, in a folder: certificates, signing keys, a password and its hash."""

import datetime
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from postroad.tenants.passwords import PasswordHash

PASSWORD = "a password of molecule"


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """A private key as the MTA reads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """A certificate that signs itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def main(folder: Path) -> None:
    """Make all, twice where it is rotated."""
    for number in ("1", "2"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"tls{number}.pem").write_bytes(certificate(key, "mta-a.postroad.test"))
        (folder / f"tls{number}.key").write_bytes(pem(key))
        (folder / f"dkim{number}.pem").write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    (folder / "password").write_text(PASSWORD)
    (folder / "hash").write_text(str(PasswordHash.of(PASSWORD)))


main(Path(sys.argv[1]))

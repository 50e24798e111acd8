"""Make what a vault would hold, in a folder: certificates, signing keys, a password and its hash."""

import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from postroad.tenants.passwords import PasswordHash
from postroad_region.ca import ensure_authority

PASSWORD = "a password of molecule"


def signing_key() -> bytes:
    """A private key as the MTA reads it."""
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def main(folder: Path) -> None:
    """Make all, twice where it is rotated."""
    authority = ensure_authority(folder / "ca")
    for number in ("1", "2"):
        issued = authority.issue(["mta-a.postroad.test"])
        (folder / f"tls{number}.pem").write_bytes(issued.chain)
        (folder / f"tls{number}.key").write_bytes(issued.key)
        (folder / f"dkim{number}.pem").write_bytes(signing_key())
    (folder / "password").write_text(PASSWORD)
    (folder / "hash").write_text(str(PasswordHash.of(PASSWORD)))


main(Path(sys.argv[1]))

"""The key that mail is signed with."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048


def signing_key(folder: Path) -> Path:
    """A new RSA key in PEM, only its owner's to read."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    file = folder / "dkim.pem"
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return file

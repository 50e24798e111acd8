"""Keys that the region makes for its operator: SSH, release signing, DKIM, the MTAs' admin token; kept until the
region is removed.
"""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from postroad_region.atomic_file import write_atomically
from postroad_region.command import run
from postroad_region.paths import Paths


def ensure(paths: Paths) -> None:
    """Make what is missing."""
    paths.ssh.mkdir(parents=True, exist_ok=True)
    paths.ssh.chmod(0o700)
    for name, comment in (("id_ed25519", "postroad operator"), ("release_ed25519", "postroad release signing")):
        if not (paths.ssh / name).exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(paths.ssh / name)])
    _ensure_dkim(paths.state / "dkim", "p1")
    _ensure_token(paths.state / "admin")


def _ensure_dkim(folder: Path, selector: str) -> None:
    """An RSA-2048 key (RFC 8301 section 3.2) and the value of its record's `p=` tag (RFC 6376 section 3.6.1)."""
    private, public = folder / f"{selector}.pem", folder / f"{selector}.pub"
    if private.exists() and public.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    private.chmod(0o600)
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    public.write_text(base64.b64encode(der).decode() + "\n")


def _ensure_token(folder: Path) -> None:
    token = folder / "token"
    if token.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_atomically(token, secrets.token_urlsafe(32) + "\n", mode=0o600)

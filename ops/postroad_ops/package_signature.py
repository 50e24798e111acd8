"""Signatures of releases: OpenSSH's, because every host has `ssh-keygen` to verify them."""

import os
import subprocess
from pathlib import Path

from postroad_ops.package_error import PackageError

NAMESPACE = "postroad-release"
"""What a signature is for; hosts accept no other, so a key used for git or logins can't pass a release."""


def signing_key(key: Path | None = None) -> Path:
    """The private key that signs: `key`, else `POSTROAD_RELEASE_KEY`, else the region's own, made when it is missing.

    Raises:
        PackageError: A key was named and isn't there.
    """
    named = key or (Path(value) if (value := os.environ.get("POSTROAD_RELEASE_KEY")) else None)
    if named is not None:
        if not named.is_file():
            raise PackageError(f"no signing key at {named}: create one with ssh-keygen -t ed25519 -f {named}")
        return named
    state = Path(os.environ.get("POSTROAD_REGION_STATE", "/var/lib/postroad-region"))
    own = state / "ssh" / "release_ed25519"
    if not own.exists():
        own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAMESPACE, "-f", str(own)])
    return own


def sign(archive: Path, *, key: Path) -> Path:
    """Write the detached signature `<archive>.sig` and return its path.

    Raises:
        PackageError: `ssh-keygen` can't use the key.
    """
    signature = archive.with_name(f"{archive.name}.sig")
    # ssh-keygen asks before it overwrites.
    signature.unlink(missing_ok=True)
    _run(["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(archive)])
    return signature


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-300:]}")

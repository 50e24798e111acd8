"""The apt repository of the artifacts bucket: the Debian packages that hosts may install, signed by the operator's key.

Hosts never reach outside; what `packages.txt` names is fetched by the controller from its own Debian sources, with
dependencies, once for each change of the list or of the package versions that the controller knows.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from email.utils import formatdate
from pathlib import Path

from postroad_ops import places
from postroad_ops.faults import OperationError

LIST = Path(__file__).with_name("packages.txt")
ORIGIN = "Postroad"
SUITE = "bookworm"
KEY_NAME = "Postroad artifacts <artifacts@postroad.invalid>"


def packages() -> list[str]:
    """The packages that the repository is made for, without their dependencies."""
    lines = LIST.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def build(key_home: Path) -> Path:
    """Make the repository in the cache; its folder, which holds `dists/`, `pool/` and `archive-key.asc`.

    Raises:
        OperationError: a package isn't to be had, or a tool fails.
    """
    wanted = _closure(packages())
    stamp = hashlib.sha256("\n".join([*wanted, _fingerprint(key_home)]).encode()).hexdigest()[:12]
    folder = places.cache() / "apt" / stamp
    if (folder / ".complete").exists():
        return folder
    partial = folder.with_name(f".{stamp}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    pool = partial / "pool"
    pool.mkdir(parents=True)
    _run(["apt-get", "download", "-qq", *wanted], cwd=pool)
    binary = partial / "dists" / SUITE / "main" / "binary-amd64"
    binary.mkdir(parents=True)
    listing = _run(["apt-ftparchive", "packages", "pool"], cwd=partial).encode()
    (binary / "Packages").write_bytes(listing)
    # mtime 0: the same packages give the same octets.
    (binary / "Packages.gz").write_bytes(gzip.compress(listing, mtime=0))
    dist = partial / "dists" / SUITE
    options = {"Origin": ORIGIN, "Suite": SUITE, "Codename": SUITE, "Architectures": "amd64", "Components": "main"}
    flags = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in options.items()]
    (dist / "Release").write_text(_run(["apt-ftparchive", *flags, "release", "."], cwd=dist))
    gpg = ["gpg", "--homedir", str(key_home), "--batch", "--yes", "--local-user", KEY_NAME]
    _run([*gpg, "--clearsign", "--output", str(dist / "InRelease"), str(dist / "Release")])
    _run([*gpg, "--armor", "--output", str(partial / "archive-key.asc"), "--export", KEY_NAME])
    # gpg leaves its agent running.
    _run(["gpgconf", "--homedir", str(key_home), "--kill", "gpg-agent"])
    (partial / ".complete").write_text(formatdate())
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def _fingerprint(key_home: Path) -> str:
    """The signing key's, made when missing."""
    key_home.mkdir(parents=True, exist_ok=True)
    key_home.chmod(0o700)
    gpg = ["gpg", "--homedir", str(key_home), "--batch", "--with-colons", "--with-fingerprint"]
    listed = subprocess.run([*gpg, "--list-keys", KEY_NAME], capture_output=True, text=True, check=False).stdout
    if "fpr:" not in listed:
        _run(
            [
                "gpg",
                "--homedir",
                str(key_home),
                "--batch",
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
                "--quick-gen-key",
                KEY_NAME,
                "rsa2048",
                "sign",
                "never",
            ]
        )
        listed = _run([*gpg, "--list-keys", KEY_NAME])
    return next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))


def _closure(names: list[str]) -> list[str]:
    """The packages with all that they depend on beyond Debian's essential set, as `name=version`, sorted."""
    out = _run(
        ["apt-get", "install", "--simulate", "--no-install-recommends", "-qq", "-oDir::State::status=/dev/null", *names]
    )
    chosen = [line.split() for line in out.splitlines() if line.startswith("Inst ")]
    return sorted(f"{fields[1]}={next(f for f in fields[2:] if f.startswith('(')).lstrip('(')}" for fields in chosen)


def _run(command: list[str], *, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise OperationError(f"`{command[0]} {command[1]}` failed: {reason}", remedy="run: apt-get update, then again")
    return done.stdout

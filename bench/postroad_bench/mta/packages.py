"""What the peers come from: Debian packages and Haraka's npm package, installed when a case first asks."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from postroad_ops import places

APT_SECONDS, NPM_SECONDS = 300, 300
_POLICY = Path("/usr/sbin/policy-rc.d")
HARAKA = places.ROOT / "bench" / "haraka"
# Debian's postfix would otherwise write a configuration of its own for this machine.
_ANSWER = "postfix postfix/main_mailer_type select No configuration\n"


@cache
def install(package: str) -> str | None:
    """Have a Debian package, without starting its servers; why it can't be had, or None."""
    if shutil.which("dpkg-query") is None:
        return f"{package} comes from Debian, and this machine isn't one"
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, check=False)
    if asked.stdout == b"installed":
        return None
    if os.geteuid() != 0:
        return f"{package} isn't installed; as root: apt-get install {package}"
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    made_policy = not _POLICY.exists()
    if made_policy:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        subprocess.run(["debconf-set-selections"], input=_ANSWER.encode(), capture_output=True, check=False)
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, capture_output=True, timeout=APT_SECONDS, check=False)
        done = subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
            env=quiet, capture_output=True, text=True, timeout=APT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{package} isn't installed and apt-get fails: {error}"
    finally:
        if made_policy:
            _POLICY.unlink()
    if done.returncode:
        return f"{package} isn't installed and apt-get fails: {done.stderr.strip()[-200:]}"
    return None


@cache
def haraka() -> Path | str:
    """The folder that Haraka is installed in; or why it can't be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "no node or npm on this machine"
    folder = places.cache() / "haraka"
    lock = (HARAKA / "package-lock.json").read_bytes()
    stamp = folder / "installed.json"
    if stamp.exists() and stamp.read_bytes() == lock:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HARAKA / name, folder / name)
    command = ["npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"npm ci takes more than {NPM_SECONDS} s"
    if done.returncode:
        return f"npm ci fails: {done.stderr.strip()[-200:]}"
    stamp.write_bytes(lock)
    return folder

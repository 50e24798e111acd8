"""What must be so before a region can start; every fault is one line with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from postroad_region import guard
from postroad_region.daemon import API_PORT, status
from postroad_region.errors import RegionError
from postroad_region.paths import Paths

TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "haproxy": "haproxy",
    "nsd": "nsd",
    "unbound": "unbound",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
    "sysctl": "procps",
}
FREE_BYTES = 4 << 30


def check(paths: Paths) -> None:
    """Look at the machine.

    Raises:
        RegionError: the first thing that is wrong.
    """
    if os.geteuid() != 0:
        raise RegionError("the region needs root (network namespaces, containers)", remedy="run as root: sudo make up")
    release = _os_release()
    if (release.get("ID"), release.get("VERSION_ID")) != ("debian", "12"):
        found = release.get("PRETTY_NAME", "an unknown system")
        raise RegionError(f"the region runs on Debian 12, this is {found}", remedy="use a Debian 12 machine")
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise RegionError(f"`{tool}` is missing", remedy=f"run: make env (or: apt-get install {package})")
    for folder in (paths.state, paths.cache):
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < FREE_BYTES:
            raise RegionError(f"{folder} has less than 4 GiB free", remedy="free some, or choose another folder")
    overlap = guard.conflicting_network()
    if overlap:
        raise RegionError(
            f"this machine has {overlap}, which the region's ranges overlap",
            remedy="take that network down; the region needs 10.20.0.0/14, 198.51.100.0/24 and 198.18.113.0/24",
        )
    if status() is None and _port_taken(API_PORT):
        raise RegionError(f"port {API_PORT} on 127.0.0.1 is in use", remedy=f"see who: ss -ltnp 'sport = :{API_PORT}'")


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def _port_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False

"""Hosts: one podman container with systemd for each running instance.

The network namespace is made before the host, so it boots with its interface. runc and cgroupfs because crun fails on
hybrid cgroups; the two limits because raising the defaults isn't permitted everywhere.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad_region.command import run, succeeds
from postroad_region.hypervisor.model import Instance

PODMAN = ("podman", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
LABEL = "postroad.region"
MOUNTS = "/mnt/ebs"
STOP_SECONDS = 20
# Where podman's monitors leave the exit codes of root's containers (libpod's tmp_dir).
EXITS = Path("/run/libpod/exits")


@dataclass(frozen=True, slots=True)
class Host:
    """A container as podman has it; `running` only while its first process lives."""

    instance_id: str
    running: bool
    pid: int


def all_hosts() -> dict[str, Host]:
    """The region's containers by instance id."""
    text = run([*PODMAN, "ps", "--all", "--filter", f"label={LABEL}", "--format", "json"])
    listed: list[dict[str, Any]] = json.loads(text.strip() or "[]")
    hosts = {}
    for entry in listed:
        name, pid = str(entry["Names"][0]), int(entry.get("Pid") or 0)
        running = entry["State"] == "running" and pid > 0 and Path(f"/proc/{pid}").exists()
        hosts[name] = Host(name, running, pid)
    return hosts


def create(instance: Instance, *, image: str, folder: Path) -> None:
    """Make the instance's container, not yet started; `folder` is what the region shares with it."""
    (folder / "ebs").mkdir(parents=True, exist_ok=True)
    run(
        [
            *PODMAN,
            "create",
            "--name",
            instance.id,
            "--label",
            f"{LABEL}=1",
            "--network",
            f"ns:/run/netns/{instance.id}",
            "--hostname",
            instance.hostname,
            "--dns",
            "none",
            "--no-hosts",
            "--tty",
            "--systemd=always",
            "--log-driver",
            "k8s-file",
            "--log-opt",
            "max-size=1mb",
            "--ulimit",
            "nproc=4096:4096",
            "--ulimit",
            "nofile=1024:20000",
            "--cap-add",
            "NET_ADMIN",
            "--volume",
            f"{folder / 'ebs'}:{MOUNTS}:rslave",
            "--tmpfs",
            "/tmp",  # noqa: S108 - the host's own
            image,
            "/sbin/init",
        ]
    )
    root = Path(run([*PODMAN, "mount", instance.id]).strip())
    (root / "etc/resolv.conf").write_text(f"nameserver {instance.resolver}\nsearch ec2.internal\n")
    (root / "etc/hostname").write_text(instance.hostname + "\n")


def start(instance_id: str) -> None:
    """Boot a host whose container exists.

    Raises:
        RegionError: podman can't start it.
    """
    _bury(instance_id)
    run([*PODMAN, "start", instance_id])


def _bury(instance_id: str) -> None:
    """Tell podman that a host has ended whose monitor was killed together with it.

    The monitor (conmon) would have left the exit code in a file; without it podman waits for ever in `running` or
    `stopping`.
    """
    container, state, pid = run(
        [*PODMAN, "inspect", "--format", "{{.Id}} {{.State.Status}} {{.State.Pid}}", instance_id]
    ).split()
    if state in ("running", "stopping") and not Path(f"/proc/{pid}").exists():
        EXITS.mkdir(parents=True, exist_ok=True)
        (EXITS / container).write_text(str(128 + signal.SIGKILL))


def stop(instance_id: str) -> None:
    """Shut a host down as EC2 does: politely, then by force."""
    run([*PODMAN, "stop", "--ignore", "--time", str(STOP_SECONDS), instance_id])


def remove(instance_id: str) -> None:
    """End a host and drop its root file system."""
    run([*PODMAN, "rm", "--force", "--ignore", "--time", "0", instance_id])


def console(instance_id: str) -> str:
    """What the host wrote to its console, newest part (64 KiB as GetConsoleOutput keeps)."""
    if not succeeds([*PODMAN, "container", "exists", instance_id]):
        return ""
    return run([*PODMAN, "logs", instance_id]).replace("\r\n", "\n")[-65536:]


def process_tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for current in found:
        try:
            tasks = os.listdir(f"/proc/{current}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                children = Path(f"/proc/{current}/task/{task}/children").read_text()
            except OSError:
                continue
            found.extend(int(child) for child in children.split())
    return found

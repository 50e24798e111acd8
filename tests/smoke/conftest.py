"""The hosts of a running stack, each probed once: `POSTROAD_STACK=local pytest tests/smoke`.

A probe is one script per host over one SSH connection; the tests read its answers. testinfra's own Ansible backend
costs a second for each command, and its ssh backend a connection for each.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra

ANSIBLE = Path(__file__).resolve().parents[2] / "ansible"
PROBE = (Path(__file__).parent / "probe.py").read_text()


@dataclass(frozen=True)
class Node:
    """A host of the stack: what the inventory says about it and what the probe found on it."""

    name: str
    variables: dict[str, Any]
    facts: dict[str, Any]
    run: Callable[..., Any]


def stack() -> str:
    return os.environ.get("POSTROAD_STACK", "local")


def inventory() -> dict[str, Any]:
    """The inventory as Ansible resolves it, variables included."""
    command = [
        Path(sys.executable).with_name("ansible-inventory"),
        "-i",
        f"inventories/{stack()}",
        "--list",
    ]
    listed = subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.exit(f"the inventory of {stack()} can't be read: {listed.stderr.strip()[-300:]}", returncode=2)
    return json.loads(listed.stdout)


def plain(value: Any) -> Any:
    """A value without the marks that Ansible puts on what came from outside."""
    if isinstance(value, dict):
        return (
            plain(value["__ansible_unsafe"])
            if set(value) == {"__ansible_unsafe"}
            else {k: plain(v) for k, v in value.items()}
        )
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="session")
def ssh_config(tmp_path_factory: pytest.TempPathFactory, hosts: dict[str, dict[str, Any]]) -> Path:
    """One Host block each, with the options of the inventory and one shared connection."""
    folder = tmp_path_factory.mktemp("ssh")
    lines = []
    for name, variables in hosts.items():
        lines += [f"Host {name}", f"  HostName {variables['ansible_host']}", f"  User {variables['ansible_user']}"]
        lines += [f"  HostKeyAlias {variables['instance_id']}", f"  UserKnownHostsFile {ANSIBLE / '.known_hosts'}"]
        lines += [
            "  StrictHostKeyChecking yes",
            "  ControlMaster auto",
            "  ControlPersist 60",
            f"  ControlPath {folder}/%C",
        ]
        if stack() == "local":
            state = os.environ.get("POSTROAD_REGION_STATE", "/var/lib/postroad-region")
            lines += [f"  IdentityFile {state}/ssh/id_ed25519", "  IdentitiesOnly yes"]
        else:
            tunnel = "aws ec2-instance-connect open-tunnel --instance-id"
            lines += [f"  ProxyCommand {tunnel} {shlex.quote(variables['instance_id'])}"]
    config = folder / "config"
    config.write_text("\n".join(lines) + "\n")
    return config


@pytest.fixture(scope="session")
def listed() -> dict[str, Any]:
    return inventory()


@pytest.fixture(scope="session")
def hosts(listed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: plain(variables) for name, variables in listed["_meta"]["hostvars"].items()}


@pytest.fixture(scope="session")
def nodes(listed: dict[str, Any], hosts: dict[str, dict[str, Any]], ssh_config: Path) -> dict[str, list[Node]]:
    """Every host by tier, probed."""
    tiers: dict[str, list[Node]] = {}
    for tier in ("resolver", "mta", "proxy"):
        for name in sorted(listed.get(tier, {}).get("hosts", [])):
            host = testinfra.get_host(f"ssh://{name}", ssh_config=str(ssh_config), sudo=True)
            answer = host.run(f"python3 -c {shlex.quote(PROBE)} {tier}")
            assert answer.rc == 0, f"{name} can't be probed: {answer.stderr.strip()[-300:]}"
            tiers.setdefault(tier, []).append(Node(name, hosts[name], json.loads(answer.stdout), host.run))
    return tiers


@pytest.fixture
def every(nodes: dict[str, list[Node]]) -> list[Node]:
    return [node for tier in nodes.values() for node in tier]


@pytest.fixture
def resolvers(nodes: dict[str, list[Node]]) -> list[Node]:
    return nodes.get("resolver", [])


@pytest.fixture
def mtas(nodes: dict[str, list[Node]]) -> list[Node]:
    return nodes.get("mta", [])


@pytest.fixture
def proxies(nodes: dict[str, list[Node]]) -> list[Node]:
    return nodes.get("proxy", [])

"""Host keys of a stack's instances, pinned from what each printed on its console.

The console is read through the API, so nobody on the network can slip in a key. Keys are filed under the instance id
(the inventory sets
`HostKeyAlias`), because an address that is used again belongs to another host.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from postroad_ops import hosts, places
from postroad_ops.faults import OperationError

BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\r?\n(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+", re.MULTILINE)
FILE = places.ROOT / "ansible" / ".known_hosts"
BOOT_SECONDS = 120.0


def keys_of(console: str) -> list[str]:
    """The host keys of the last block on a console (cloud-init prints one a boot), each as type and key."""
    blocks = BLOCK.findall(console)
    return [match.group() for match in KEY.finditer(blocks[-1])] if blocks else []


def pin(stack: str, *, file: Path = FILE, patience: float = BOOT_SECONDS) -> int:
    """Write the keys of all running instances, waiting for those that still boot; how many hosts that is.

    Keys that are pinned already are kept as they are: a console forgets, an instance's key doesn't change.

    Raises:
        OperationError: an instance printed none in time.
    """
    known = _read(file)
    wanted = [host.instance for host in hosts.of_stack(stack, ask=False) if host.health == "running"]
    client = hosts.client("ec2", stack)

    def console(instance: str) -> list[str]:
        return keys_of(client.get_console_output(InstanceId=instance, **_latest(stack)).get("Output", ""))

    with ThreadPoolExecutor(8) as pool:
        missing = [instance for instance in wanted if instance not in known]
        found = dict(zip(missing, pool.map(lambda i: _wait(console, i, patience), missing), strict=True))
    lines = {instance: known.get(instance) or found[instance] for instance in wanted}
    text = "".join(f"{instance} {key}\n" for instance, keys in sorted(lines.items()) for key in keys)
    partial = file.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(file)
    return len(lines)


def _wait(console: Callable[[str], list[str]], instance: str, patience: float) -> list[str]:
    deadline = time.monotonic() + patience
    while True:
        try:
            keys = console(instance)
        except (BotoCoreError, ClientError):
            keys = []
        if keys:
            return keys
        if time.monotonic() > deadline:
            raise OperationError(
                f"{instance} printed no host key on its console within {patience:.0f} s",
                remedy=f"look at it: aws ec2 get-console-output --instance-id {instance}",
            )
        time.sleep(0.5)


def _latest(stack: str) -> dict[str, bool]:
    # On AWS the newest output is given for Nitro instances on request; the box always gives it.
    return {} if stack == "local" else {"Latest": True}


def _read(file: Path) -> dict[str, list[str]]:
    known: dict[str, list[str]] = {}
    if file.exists():
        for line in file.read_text().splitlines():
            instance, _, key = line.partition(" ")
            known.setdefault(instance, []).append(key)
    return known

#!/usr/bin/env python3
"""Pin the host keys of a stack's instances from their console output, so that SSH never has to trust a first answer.

    ansible/known_hosts.py --environment production

cloud-init (in the box: the base image) prints the public host keys to the console at boot, and EC2 keeps the console
where only the account can read it. A pin is filed under the instance id, not the address, which another instance may
have next: the inventories set `HostKeyAlias` to match. Pins that are there are kept, because the console forgets.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

TARGET = Path(__file__).resolve().parent / ".known_hosts"
BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----\r?\n(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)


def host_keys(console: str) -> list[str]:
    """The public keys of a console's last block, each as `type base64`; none where there is no block yet."""
    blocks = BLOCK.findall(console)
    lines = blocks[-1].split("\n") if blocks else []
    return [" ".join(fields[:2]) for line in lines if len(fields := line.split()) >= 2 and fields[0] != "ssh-rsa"]


def pinned(known_hosts: str) -> dict[str, list[str]]:
    """The pins of a known_hosts file, by instance id."""
    pins: dict[str, list[str]] = {}
    for line in known_hosts.splitlines():
        name, _, key = line.partition(" ")
        if name.startswith("i-") and key:
            pins.setdefault(name, []).append(key)
    return pins


def running(client, environment: str) -> dict[str, str]:
    """The running instances of an environment: id to name."""
    filters = [
        {"Name": "tag:Project", "Values": ["postroad"]},
        {"Name": "tag:Environment", "Values": [environment]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    found = {}
    for page in client.get_paginator("describe_instances").paginate(Filters=filters):
        for instance in (i for reservation in page["Reservations"] for i in reservation["Instances"]):
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            found[instance["InstanceId"]] = tags.get("Name", "unnamed")
    return found


def collect(client, instances: Iterable[str], *, deadline: float) -> dict[str, list[str]]:
    """Read the consoles until every instance has printed its keys, or `deadline` (monotonic seconds) has passed."""
    found: dict[str, list[str]] = {}
    waiting = sorted(instances)
    while waiting:
        for instance in waiting:
            # Latest: without it Nitro instances answer with a snapshot of minutes ago.
            output = client.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
            if keys := host_keys(output):
                found[instance] = keys
        waiting = [instance for instance in waiting if instance not in found]
        if waiting and time.monotonic() > deadline:
            break
        if waiting:
            time.sleep(1)
    return found


def main() -> int:
    """Write the pins; 1 when an instance has printed no keys in time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", default="local", help="the stack (tag Environment)")
    parser.add_argument("--wait", type=int, default=120, help="seconds to wait for hosts that still boot")
    parser.add_argument("--file", type=Path, default=TARGET, help="the known_hosts file to keep")
    arguments = parser.parse_args()
    try:
        client = boto3.client("ec2")
        instances = running(client, arguments.environment)
        pins = pinned(arguments.file.read_text() if arguments.file.exists() else "")
        fresh = [instance for instance in instances if instance not in pins]
        collected = collect(client, fresh, deadline=time.monotonic() + arguments.wait)
    except (BotoCoreError, ClientError) as error:
        print(f"known_hosts: can't read the consoles of {arguments.environment}: {error}", file=sys.stderr)
        return 1
    # Other stacks' pins stay: the file serves all of them, and ids don't repeat.
    pins |= collected
    part = arguments.file.with_name(f"{arguments.file.name}.part")
    part.write_text("".join(f"{instance} {key}\n" for instance, keys in sorted(pins.items()) for key in keys))
    part.replace(arguments.file)
    if missing := [f"{instances[i]} ({i})" for i in fresh if i not in collected]:
        print(f"known_hosts: no host keys on the console of {', '.join(missing)}; do they boot?", file=sys.stderr)
        return 1
    print(f"{len(instances)} running, {len(collected)} newly pinned in {arguments.file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

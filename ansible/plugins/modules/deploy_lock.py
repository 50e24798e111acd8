#!/usr/bin/python
# Apache-2.0
# ruff: noqa: E402 -- Ansible wants the documentation before the imports
"""One deploy at a time: a lock in the stack's artifacts bucket, taken by a conditional write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
short_description: One deploy at a time, for everybody who deploys a stack
description:
  - The lock is one object in the stack's artifacts bucket, written on the condition that it isn't there,
    or is still the one that was read.
  - It names its owner. A lock whose process on the same machine is dead, or that is older than O(ttl), is taken over.
author: Postroad
options:
  bucket:
    description: The stack's artifacts bucket.
    type: str
    required: true
  key:
    description: The lock's object.
    type: str
    default: locks/deploy.json
  region:
    description: The bucket's region.
    type: str
    required: true
  state:
    description: V(present) takes the lock, V(absent) gives back one's own, V(free) fails when somebody else holds it.
    type: str
    choices: [present, absent, free]
    default: present
  purpose:
    description: What it is held for, told to whoever is refused.
    type: str
    default: deploy
  pid:
    description: The process on this machine that holds it; by default the ansible-playbook that runs the module.
    type: int
  ttl:
    description: Seconds after which nobody can still be at it.
    type: int
    default: 7200
  steal:
    description: Take the lock whoever holds it.
    type: bool
    default: false
"""
EXAMPLES = r"""
- name: Take the lock
  deploy_lock:
    bucket: postroad-local-artifacts
    region: us-east-1
  delegate_to: localhost
"""
RETURN = r"""
holder:
  description: Who holds the lock now.
  type: dict
  returned: when somebody does
"""

import getpass
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # reported by the module
    boto3 = None


def started(pid: int) -> str | None:
    """When the process was started, in ticks since boot; None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def playbook_process() -> int:
    """The outermost `ansible-playbook` among this process's ancestors, else its parent."""
    found = pid = os.getppid()
    while pid > 1:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        if b"ansible-playbook" in command:
            found = pid
        pid = parent
    return found


def describe(holder: dict[str, Any], now: float) -> str:
    """`the deploy of root@build7 (pid 4711), for 12 min`."""
    minutes = max(0, int((now - holder["since"]) / 60))
    return f"the {holder['purpose']} of {holder['owner']} (pid {holder['pid']}), for {minutes} min"


def is_dead(holder: dict[str, Any], *, host: str, boot: str, now: float, ttl: int) -> bool:
    """Whether nobody can be behind this lock any more."""
    if now - holder["since"] > ttl:
        return True
    if holder["host"] != host:
        return False
    return holder["boot"] != boot or started(holder["pid"]) != holder["started"]


def run(module: AnsibleModule) -> None:
    """Do what the state asks for."""
    client = boto3.client("s3", region_name=module.params["region"])
    place = {"Bucket": module.params["bucket"], "Key": module.params["key"]}
    now, host = time.time(), socket.gethostname()
    pid = module.params["pid"] or playbook_process()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    own = {
        "owner": f"{getpass.getuser()}@{host}",
        "host": host,
        "boot": boot,
        "pid": pid,
        "started": started(pid),
        "purpose": module.params["purpose"],
        "since": now,
    }
    same = ("host", "boot", "pid", "started")
    holder, tag = read(client, place)
    mine = holder is not None and all(holder[name] == own[name] for name in same)
    if module.params["state"] == "absent":
        if mine and not module.check_mode:
            client.delete_object(**place)
        module.exit_json(changed=mine)
    held = (
        holder is not None and not mine and not is_dead(holder, host=host, boot=boot, now=now, ttl=module.params["ttl"])
    )
    if held and not module.params["steal"]:
        module.fail_json(
            msg=f"{module.params['bucket']} is locked by {describe(holder, now)}; wait for it, or, if it is no more, "
            "run again with -e deploy_lock_steal=true",
            holder=holder,
        )
    if module.params["state"] == "free" or mine:
        module.exit_json(changed=False, holder=holder or {})
    if not module.check_mode:
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        client.put_object(**place, Body=json.dumps(own).encode(), **condition)
    module.exit_json(changed=True, holder=own, taken_from=holder or {})


def read(client: Any, place: dict[str, str]) -> tuple[dict[str, Any] | None, str]:
    """The lock as it lies in the bucket, and its entity tag."""
    try:
        found = client.get_object(**place)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None, ""
        raise
    return json.loads(found["Body"].read()), found["ETag"]


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "key": {"type": "str", "default": "locks/deploy.json", "no_log": False},
            "region": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "free"], "default": "present"},
            "purpose": {"type": "str", "default": "deploy"},
            "pid": {"type": "int"},
            "ttl": {"type": "int", "default": 7200},
            "steal": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if boto3 is None:
        module.fail_json(msg="deploy_lock needs boto3 in the controller's Python: run `make env`")
    try:
        run(module)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}:
            module.fail_json(msg=f"{module.params['bucket']} was locked by somebody else in the same moment; run again")
        module.fail_json(msg=f"can't lock {module.params['bucket']}: {error}")
    except BotoCoreError as error:
        module.fail_json(msg=f"can't lock {module.params['bucket']}: {error}")


if __name__ == "__main__":
    main()

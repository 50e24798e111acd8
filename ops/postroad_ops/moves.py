"""`make deploy` and `make rollback`: the playbooks that move releases."""

from __future__ import annotations

import re

from rich.console import Console

from postroad_ops import artifacts, places
from postroad_ops.faults import OperationError
from postroad_ops.lock import operation
from postroad_ops.steps import Steps
from postroad_ops.up import STACK, ansible_environment, changed, wait_for_hosts

# `<version>-<first 12 digits of the sha256 of the manifest>`, as `package` names them.
RELEASE = re.compile(r"[0-9][0-9A-Za-z.+]*-[0-9a-f]{12}")


def deploy(console: Console, release: str) -> None:
    """Publish this checkout's release if it is the one asked for, then move every host.

    Raises:
        OperationError: it failed, and was taken back.
    """
    latest = release in ("", "latest")
    if not latest and not RELEASE.fullmatch(release):
        raise OperationError(
            f"{release!r} is no release: it would look like 0.1.0-4ac0b48eb6eb",
            remedy="name one that `make package` has printed, or RELEASE=latest for this checkout",
        )
    with operation("deploy"):
        steps = Steps(console, places.ROOT / ".cache" / "deploy.log")
        if latest:
            artifact, _ = steps.call(
                "release in the bucket", lambda: artifacts.publish_release(STACK), summary=lambda r: r[0].id
            )
            release = artifact.id
        _play(steps, "deploy.yml", ["-e", f"release={release}"])


def rollback(console: Console) -> None:
    """Every host back to the release before.

    Raises:
        OperationError: there is none, or it doesn't start.
    """
    with operation("rollback"):
        _play(Steps(console, places.ROOT / ".cache" / "rollback.log"), "rollback.yml", [])


def _play(steps: Steps, playbook: str, extra: list[str]) -> None:
    wait_for_hosts(steps)
    steps.run(
        f"ansible-playbook {playbook}",
        [places.program("ansible-playbook"), "-i", f"inventories/{STACK}", f"playbooks/{playbook}", *extra],
        cwd=places.ROOT / "ansible",
        environment=ansible_environment(),
        remedy="see: make status",
        summary=changed,
    )

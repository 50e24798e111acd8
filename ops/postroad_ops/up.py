"""`make up`: from whatever is there to delivered mail, with the native commands."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from postroad_ops import artifacts, delivery, front_door, hosts, places, stack, status, table
from postroad_ops.faults import OperationError
from postroad_ops.steps import Steps

STACK = "local"
DOMAIN = "gmail.test"
SENDER = "news@postroad.test"
PROBE_MESSAGES = 30
AGAIN = "run: make up"
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


def up(console: Console, *, verbose: bool = False) -> None:
    """Bring the region up and prove it.

    Raises:
        OperationError: a step failed; running again continues.
    """
    stack.check_settings(STACK)
    steps = Steps(console, places.ROOT / ".cache" / "up.log", verbose=verbose)
    steps.run("region", [places.program("postroad-region"), "up"], remedy=AGAIN)
    apply_stacks(steps)
    steps.call("apt repository in the bucket", lambda: artifacts.publish_apt(STACK), summary=_uploaded)
    artifact, _ = steps.call(
        "release in the bucket", lambda: artifacts.publish_release(STACK), summary=lambda r: r[0].id
    )
    wait_for_hosts(steps)
    configure(steps, release=artifact.id)
    smoke(steps)
    report = steps.call(
        f"{PROBE_MESSAGES} messages through every tier",
        lambda: delivery.send(submission(), PROBE_MESSAGES, sender=SENDER, domain=DOMAIN),
        summary=lambda r: f"{r.delivered} delivered, {r.twice} twice, from {len(r.by_source)} addresses",
    )
    console.print()
    table.show(console, status.look(STACK))
    console.print(
        f"\n[bold]{report.delivered} of {report.asked} messages delivered[/] "
        f"[dim]{steps.seconds:.0f} s after make up[/]"
    )
    if not report.complete:
        raise OperationError(f"the probe wasn't delivered whole: {report.as_dict()}", remedy="see: make status")
    console.print("next: make status, make send COUNT=1000, make down", highlight=False)


def apply_stacks(steps: Steps) -> None:
    """`pulumi up` on every project, in the order of their references."""
    with stack.attached_provider(places.ROOT / ".cache" / "provider.log") as port:
        for project in places.PROJECTS:
            folder = stack.project_folder(project)
            environment = stack.environment(STACK, provider_port=port)
            pulumi = [pulumi_program(environment)]
            steps.run(
                f"pulumi stack select ({project})",
                [*pulumi, "stack", "select", "--create", STACK],
                cwd=folder,
                environment=environment,
                remedy=AGAIN,
            )
            # A run that was killed leaves its lock behind; the operation lock says that no other one is under way.
            steps.run(
                f"pulumi cancel ({project})",
                [*pulumi, "cancel", "--yes", "--stack", STACK],
                cwd=folder,
                environment=environment,
                remedy=AGAIN,
            )
            steps.run(
                f"pulumi up ({project})",
                [*pulumi, "up", "--yes", "--skip-preview", "--refresh", "--color", "never", "--stack", STACK,
                 "--policy-pack", str(places.ROOT / "pulumi" / "policy")],
                cwd=folder,
                environment=environment,
                remedy=AGAIN,
                summary=stack.summary,
            )  # fmt: skip


def wait_for_hosts(steps: Steps) -> None:
    """Pin the host keys of every instance, which waits until each has printed them."""
    steps.run(
        "host keys from the console",
        [places.program("python"), str(places.ROOT / "ansible" / "known_hosts.py"), "--environment", STACK],
        environment=stack.LOCAL,
        remedy=AGAIN,
        summary=lambda output: output.strip().splitlines()[-1].partition(" in ")[0],
    )


def configure(steps: Steps, *, release: str) -> None:
    """`ansible-playbook site.yml`; a stack without a recorded release gets this one."""
    recorded = recorded_release()
    extra = [] if recorded else ["-e", f"release={release}"]
    remedy = AGAIN
    if recorded not in ("", release):
        # Roles may render settings that only the checkout's own release knows.
        remedy = f"{recorded} runs, this checkout is {release}: is a setting too new? make deploy RELEASE=latest"
    steps.run(
        "ansible-playbook site.yml",
        [places.program("ansible-playbook"), "-i", f"inventories/{STACK}", "playbooks/site.yml", *extra],
        cwd=places.ROOT / "ansible",
        environment=ansible_environment(),
        remedy=remedy,
        summary=changed,
    )


def smoke(steps: Steps) -> None:
    """The smoke tests of every tier."""
    steps.run(
        "smoke tests",
        [places.program("python"), "-m", "pytest", "-q", "tests/smoke"],
        cwd=places.ROOT,
        environment=ansible_environment(),
        remedy="see the failing fact above; then: make up",
        summary=lambda output: output.strip().splitlines()[-1].strip("= "),
    )


def submission() -> Sequence[front_door.Door | str]:
    """Where clients hand in mail: the front door, where the stack has one, else the MTAs that are ready."""
    return front_door.doors(STACK) or ready_mtas()


def ready_mtas() -> list[str]:
    """Addresses of the MTAs that say they are ready."""
    return [host.address for host in hosts.of_stack(STACK) if host.tier == "mta" and host.health == "ready"]


def recorded_release() -> str:
    """The release that the stack's record names; empty before the first."""
    client = hosts.client("s3", STACK)
    try:
        found = hosts.patiently(lambda: client.get_object(Bucket=artifacts.bucket_of(STACK), Key=artifacts.RECORD))
    except client.exceptions.NoSuchKey:
        return ""
    return str(json.loads(found["Body"].read()).get("release", ""))


def ansible_environment() -> dict[str, str]:
    """What Ansible gets beside the caller's environment."""
    bin_dir = str(Path(places.program("python")).parent)
    return {**stack.LOCAL, "PATH": f"{bin_dir}:{os.environ.get('PATH', '')}", "ANSIBLE_NOCOLOR": "1"}


def changed(output: str) -> str:
    """The recap in a few words."""
    recap = [(name, int(count)) for name, _, count, _, _ in RECAP.findall(output)]
    total = sum(count for _, count in recap)
    return f"{len(recap)} hosts, changed={total}"


def pulumi_program(environment: dict[str, str]) -> str:
    """The `pulumi` that the environment's PATH leads to.

    Raises:
        OperationError: there is none.
    """
    found = shutil.which("pulumi", path=environment["PATH"])
    if found is None:
        raise OperationError("`pulumi` is missing", remedy="run: make env")
    return found


def _uploaded(count: int) -> str:
    return f"{count} new objects" if count else "no change"

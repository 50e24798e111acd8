"""`make plan`: what a stack's programs would change, and whether the policies agree."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from postroad_ops import places, stack
from postroad_ops.steps import Steps
from postroad_ops.up import pulumi_program


def plan(console: Console, name: str) -> None:
    """`pulumi preview` of every project with the policy pack.

    Stack `local` is compared with the region. For the others the real provider compares with the account; where it
    isn't installed, the stand-in plans from an empty state in a folder of its own, so that programs, settings and
    policies are still proven.

    Raises:
        OperationError: unknown stack, wrong settings, a policy violated.
    """
    stack.check_name(name)
    stack.check_settings(name)
    steps = Steps(console, places.ROOT / ".cache" / f"plan-{name}.log")
    with contextlib.ExitStack() as resources:
        scratch = resources.enter_context(tempfile.TemporaryDirectory(prefix="postroad-plan-"))
        port = resources.enter_context(stack.attached_provider(places.ROOT / ".cache" / "provider.log"))
        environment = stack.environment(name, provider_port=port)
        if name != "local":
            backend = Path(scratch) / "backend"
            backend.mkdir()
            environment |= {
                "PULUMI_BACKEND_URL": f"file://{backend}",
                "PULUMI_CONFIG_PASSPHRASE": "plan",
                **stack.LOCAL,
            }
        pulumi = pulumi_program(environment)
        for project in places.PROJECTS:
            folder = stack.project_folder(project)
            if name != "local":
                # A new stack's salt is written into its settings file; the checkout's own stays as it is.
                folder = shutil.copytree(folder, Path(scratch) / project)
            steps.run(
                f"pulumi stack select ({project})",
                [pulumi, "stack", "select", "--create", name],
                cwd=folder,
                environment=environment,
                remedy="run: make env",
            )
            steps.run(
                f"pulumi preview ({project})",
                [
                    pulumi,
                    "preview",
                    "--color",
                    "never",
                    "--stack",
                    name,
                    "--policy-pack",
                    str(places.ROOT / "pulumi" / "policy"),
                ],
                cwd=folder,
                environment=environment,
                remedy=f"mend pulumi/{project}/Pulumi.{name}.yaml, then: make plan STACK={name}",
                summary=stack.summary,
            )

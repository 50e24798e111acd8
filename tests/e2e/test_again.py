"""What Pulumi has made needs no change. (That Ansible has nothing to change either is seen in `test_all_killed.py`.)"""

import os
import subprocess

import pytest
from postroad_ops import places, stack
from postroad_ops.up import pulumi_program


@pytest.mark.parametrize("project", places.PROJECTS)
def test_a_preview_expects_no_changes(project: str) -> None:
    with stack.attached_provider(places.ROOT / ".cache" / "provider.log") as port:
        environment = stack.environment("local", provider_port=port)
        command = [
            pulumi_program(environment),
            "preview",
            "--refresh",
            "--expect-no-changes",
            "--diff",
            "--color",
            "never",
        ]
        done = subprocess.run(
            [*command, "--stack", "local"],
            cwd=stack.project_folder(project),
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]

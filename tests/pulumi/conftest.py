"""Every project of every stack, run once under the mocks engine; and the key files that stack `local` names."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tests.pulumi.mocks_engine import Run, run_program, stack_config

STACKS = ("local", "uat", "staging", "production")
PROJECTS = ("network", "dns", "mail")


def pytest_configure(config: pytest.Config) -> None:
    """The aws SDK imports its own deprecated names."""
    config.addinivalue_line("filterwarnings", "ignore:.*has been deprecated in favor of:DeprecationWarning:pulumi_aws")


@pytest.fixture(scope="session", autouse=True)
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the files that stack `local` expects of its region, named by POSTROAD_REGION_STATE."""
    folder = tmp_path_factory.mktemp("region")
    ssh = ed25519.Ed25519PrivateKey.generate().public_key()
    (folder / "ssh").mkdir()
    (folder / "ssh/id_ed25519.pub").write_bytes(
        ssh.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    dkim = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    (folder / "dkim").mkdir()
    (folder / "dkim/p1.pub").write_bytes(
        base64.b64encode(dkim.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTROAD_REGION_STATE", str(folder))
        yield folder


StackRuns = Mapping[str, Run]


def run_stack(stack: str, zones: int = 3) -> StackRuns:
    """All projects of a stack, in the order in which it is built, with the first so many of its zones."""
    configs = {project: stack_config(project, stack) for project in PROJECTS}
    for project, config in configs.items():
        settings = config[f"{project}:settings"]
        settings["zones"] = settings["zones"][:zones]
    # Placeholders pass in previews only; the mocks make every value known all the same.
    preview = stack != "local"
    network = run_program("network", stack, configs["network"], preview=preview)
    references = {f"organization/network/{stack}": network.outputs}
    return {"network": network} | {
        project: run_program(project, stack, configs[project], references=references, preview=preview)
        for project in ("dns", "mail")
    }


@pytest.fixture(scope="session")
def runs_of(key_files: Path) -> Callable[..., StackRuns]:
    """`run_stack`, each stack once."""
    return cache(run_stack)


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    """Every stack."""
    return str(request.param)


@pytest.fixture
def runs(stack: str, runs_of: Callable[..., StackRuns]) -> StackRuns:
    """The projects of the stack under test."""
    return runs_of(stack)

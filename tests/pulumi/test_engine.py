"""The real engine, the stand-in provider and the policies against the region's API: `local` from nothing on."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from postroad_ops.account import holdings, leftovers

from tests.pulumi.conftest import PROJECTS
from tests.pulumi.mocks_engine import PROJECTS as FOLDER
from tests.pulumi.mocks_engine import stack_config

BIN = Path(sys.executable).parent
PATH = f"{BIN}:{os.environ['PATH']}"
PATIENCE_S = 300

pytestmark = pytest.mark.skipif(
    shutil.which("pulumi", path=PATH) is None, reason="the Pulumi engine isn't built: run make env"
)


@contextmanager
def running(command: list[str], variables: dict[str, str], *, ready: str | None = None) -> Iterator[str]:
    """A program for as long as the block runs; yields its first line, or the first that contains `ready`."""
    stream = subprocess.PIPE
    process = subprocess.Popen(command, env=variables, stdout=stream, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    rest = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        first = next((line for line in process.stdout if ready is None or ready in line), None)
        if first is None:
            pytest.fail(f"{command[0]} ended with {process.wait()} before it was ready")
        # What it says from now on is read as well: with a full pipe it would stand still.
        rest.start()
        yield first.strip()
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if rest.is_alive():
            rest.join(PATIENCE_S)
        process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Engine:
    """`pulumi` with a state, a cloud and a provider of its own.

    It works on copies of the projects: a new stack's salt is written into the stack's file.
    """

    variables: dict[str, str]
    folder: Path

    def init(self, project: str, stack: str, config: dict[str, Any]) -> None:
        file = self.folder / project / f"Pulumi.{stack}.yaml"
        file.write_text(yaml.safe_dump({"config": config}))
        done = self.run("-C", str(file.parent), "stack", "init", stack)
        assert done.returncode == 0, done.stderr

    def __call__(self, project: str, *arguments: str, stack: str = "local") -> subprocess.CompletedProcess[str]:
        return self.run("-C", str(self.folder / project), *arguments, "--stack", stack)

    def must(self, project: str, *arguments: str, stack: str = "local") -> str:
        done = self(project, *arguments, stack=stack)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service: str) -> Any:
        named = {name.lower(): self.variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        url = self.variables["AWS_ENDPOINT_URL"]
        return boto3.client(service, endpoint_url=url, region_name="us-east-1", **named)

    def outputs(self, project: str) -> dict[str, Any]:
        return dict(json.loads(self.must(project, "stack", "output", "--json")))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, key_files: Path) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    (folder / "state").mkdir()
    for project in PROJECTS:
        (folder / project).mkdir()
        for file in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(FOLDER / project / file, folder / project)
    port = free_port()
    variables = {
        **os.environ,
        "PATH": PATH,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "trial",
        "AWS_SECRET_ACCESS_KEY": "trial",
        "POSTROAD_REGION_STATE": str(key_files),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "trial",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    api = [sys.executable, str(Path(__file__).with_name("region_api.py")), str(port), str(folder / "region")]
    provider = [str(BIN / "postroad-aws-provider"), "serve", "--port", "0"]
    with running(api, variables, ready="ready"), running(provider, variables) as provider_port:
        variables["PULUMI_DEBUG_PROVIDERS"] = f"aws:{provider_port}"
        # Two stacks have more addresses than an account gets at first.
        made = Engine(variables, folder)
        quotas = made.client("service-quotas")
        quotas.request_service_quota_increase(ServiceCode="ec2", QuotaCode="L-0263D0A3", DesiredValue=20)
        yield made


POLICIES = ("--policy-pack", str(FOLDER / "policy"))


@pytest.fixture(scope="module")
def untouched(engine: Engine) -> dict[str, set[str]]:
    """What the account had before anything was made in it."""
    return holdings(engine.client)


@pytest.fixture(scope="module")
def applied(engine: Engine, untouched: dict[str, set[str]]) -> Engine:
    """Stack `local`, applied with its policies."""
    for project in PROJECTS:
        engine.init(project, "local", stack_config(project, "local"))
        engine.must(project, "up", "--yes", "--skip-preview", *POLICIES)
    return engine


def test_mail_uses_what_the_network_gave(applied: Engine) -> None:
    network, mail = (applied.outputs(project) for project in ("network", "mail"))
    assert network["mail_vpc_cidr"] == "10.20.0.0/16"
    assert {name.partition("-ip")[0] for name in mail["sending_addresses"]} == {"mail-a", "mail-b", "mail-c"}
    assert set(mail["mta_groups"].values()) == {f"postroad-local-mta-{letter}" for letter in "abc"}


def test_an_update_of_mail_without_a_network_says_what_to_run(engine: Engine) -> None:
    for project in ("network", "mail"):
        engine.init(project, "bare", stack_config(project, "local"))
    done = engine("mail", "up", "--yes", "--skip-preview", stack="bare")
    assert done.returncode != 0
    assert "run pulumi up -s bare in pulumi/network first" in done.stdout
    assert "Traceback" not in done.stdout


def test_wrong_settings_stop_the_program_with_one_line_each(engine: Engine) -> None:
    config = stack_config("network", "local")
    config["network:settings"]["mail_vpc"]["cidr"] = "10.0.0.0/8"
    config["network:settings"]["zone"] = 1
    engine.init("network", "wrong", config)
    done = engine("network", "preview", stack="wrong")
    assert done.returncode != 0
    assert "pulumi/network/Pulumi.wrong.yaml: network:settings.mail_vpc.cidr = '10.0.0.0/8': " in done.stdout
    assert "pulumi/network/Pulumi.wrong.yaml: network:settings.zone = 1: no such key; right is: zones" in done.stdout
    assert "Traceback" not in done.stdout


BAD_PROGRAM = """
import pulumi_aws as aws
tags = {"Project": "postroad", "Environment": "trial", "Tier": "mta", "Name": "x", "Zone": "us-east-1a"}
aws.ebs.Volume("open", availability_zone="us-east-1a", size=1, tags=tags)
aws.ebs.Volume("nameless", availability_zone="us-east-1a", size=1, encrypted=True)
aws.s3.Bucket("bare", bucket="trial-bare", tags=tags)
group = aws.ec2.SecurityGroup("group", description="trial", tags=tags)
aws.vpc.SecurityGroupIngressRule("ssh", security_group_id=group.id, ip_protocol="tcp", from_port=22, to_port=22,
    cidr_ipv4="0.0.0.0/0", tags=tags)
aws.ec2.LaunchTemplate("template", image_id="ami-12345678", instance_type="t3.small", tags=tags)
"""


def test_the_pack_refuses_what_the_policies_refuse(engine: Engine) -> None:
    trial = engine.folder / "trial"
    trial.mkdir()
    (trial / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    (trial / "__main__.py").write_text(BAD_PROGRAM)
    engine.init("trial", "local", {"aws:region": "us-east-1"})
    done = engine("trial", "preview", *POLICIES)
    assert done.returncode != 0
    for said in (
        "open: the volume isn't encrypted",
        "nameless: the tags Project, Environment, Tier, Name, Zone are missing",
        "bare: the bucket has no BucketServerSideEncryptionConfiguration",
        "bare: the bucket has no BucketPublicAccessBlock",
        "ssh: 0.0.0.0/0 may reach tcp 22 of mta",
        "template: the metadata service answers without a token",
        "template: hosts boot whatever the image says",
    ):
        assert said in done.stdout


def test_what_is_destroyed_leaves_nothing_in_the_account(applied: Engine, untouched: dict[str, set[str]]) -> None:
    """The last test of this file: it takes `applied` away. Hosts and what was uploaded are no obstacle."""
    made = leftovers(untouched, holdings(applied.client))
    for kind in ("ec2 Instances", "ec2 Volumes", "elbv2 LoadBalancers", "s3 Buckets", "route53 HostedZones"):
        assert made[kind], f"the stacks make {kind}"
    (bucket,) = made["s3 Buckets"]
    for content in (b"one", b"another version"):
        applied.client("s3").put_object(Bucket=bucket, Key="releases/trial.tar.gz", Body=content)

    # What failed half way is destroyed as well.
    applied("mail", "destroy", "--yes", "--skip-preview", stack="bare")
    for project in reversed(PROJECTS):
        applied.must(project, "destroy", "--yes", "--skip-preview")

    left = leftovers(untouched, holdings(applied.client))
    assert left == {}, left

    # A stack's second life in an account that still tells of the first one.
    applied.must("network", "up", "--yes", "--skip-preview")
    applied.must("network", "destroy", "--yes", "--skip-preview")

"""The region's own API in this process on a loopback port, a provider attached to it, and the real engine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.moto_api._internal.models import moto_api_backend
from postroad_region.api import certificates, patches  # noqa: F401 - changes moto
from postroad_region.api.server import Api
from postroad_region.api.state import StateFile
from postroad_region.ca import ensure_authority
from postroad_region.provider import configuration, server
from postroad_region.provider.lifecycle import Lifecycle

SERVICES = (
    "acm",
    "ec2",
    "autoscaling",
    "route53",
    "s3",
    "iam",
    "sts",
    "sqs",
    "sns",
    "kms",
    "logs",
    "cloudwatch",
    "elbv2",
    "servicequotas",
)
BIN = Path(sys.executable).parent


@cache
def _client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="postroad",
        aws_secret_access_key="postroad",
    )


@pytest.fixture(scope="session", autouse=True)
def _authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Certificates come from an authority of the tests' own."""
    made = ensure_authority(tmp_path_factory.mktemp("ca"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "authority", lambda: made)
        yield


@dataclass(frozen=True)
class Aws:
    """The endpoint of the fake AWS, and clients for it."""

    url: str
    api: Api

    def client(self, service: str) -> Any:
        return _client(self.url, service)

    def reset(self) -> None:
        with self.api.lock:
            moto_api_backend.reset()


class Unsaved(StateFile):
    """A state that isn't written: what is saved is another test's subject."""

    def wait_saved(self, number: int, api_lock: threading.RLock) -> None:
        """Answer at once."""


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(Unsaved(tmp_path_factory.mktemp("api")), lambda: None)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def api_url(api: Api) -> str:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    api.serve(listener, "test-api")
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="session")
def lifecycle(api_url: str) -> Lifecycle:
    """The provider's heart, with clients that all tests share: making one costs half a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(api_url).items():
            patch.setenv(name, value)
        made = configuration.lifecycle(
            {
                "region": "us-east-1",
                "accessKey": "postroad",
                "secretKey": "postroad",
                "endpoints": [dict.fromkeys(SERVICES, api_url)],
            }
        )
        made.cloud().account  # noqa: B018 - looked up while the environment holds
        return made


@pytest.fixture
def aws(api_url: str, api: Api, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name, value in environment(api_url).items():
        monkeypatch.setenv(name, value)
    fake = Aws(api_url, api)
    fake.reset()
    return fake


def environment(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "postroad",
        "AWS_SECRET_ACCESS_KEY": "postroad",
    }


@dataclass(frozen=True)
class Engine:
    """A Pulumi project in a folder of its own, run by the real engine with the provider attached."""

    folder: Path
    variables: dict[str, str]

    def write(self, program: str, config: str = "") -> None:
        (self.folder / "__main__.py").write_text("import pulumi\nimport pulumi_aws as aws\n" + program)
        (self.folder / "Pulumi.test.yaml").write_text(f"config:\n  aws:region: us-east-1\n{config}")

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        command = [str(BIN / "pulumi"), *arguments, "--non-interactive", "--stack", "test"]
        if arguments[0] != "stack":
            command += ["--color", "never"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=180, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, output
        return output

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self("stack", "output", "--json")))

    def resource(self, identifier: str) -> dict[str, Any]:
        """The state's resource with this id."""
        exported = json.loads(self("stack", "export"))
        return next(item for item in exported["deployment"]["resources"] if item.get("id") == identifier)


@pytest.fixture
def engine(aws: Aws, tmp_path: Path) -> Iterator[Engine]:
    if not (BIN / "pulumi").exists() and shutil.which("pulumi") is None:
        pytest.skip("the Pulumi engine isn't built: run `make env`")
    running, port = server.start(0)
    project, backend = tmp_path / "project", tmp_path / "backend"
    project.mkdir()
    backend.mkdir()
    (project / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    variables = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "trial",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
    }
    made = Engine(project, variables)
    made("stack", "init")
    yield made
    running.stop(grace=None).wait()

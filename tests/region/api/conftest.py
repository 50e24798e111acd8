"""The region's own API in this process, on a loopback port, with a state file of its own."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend
from postroad_region.api import patches, seed  # noqa: F401 - patches change moto
from postroad_region.api.server import Api
from postroad_region.api.state import StateFile

IMAGE = seed.BASE_AMI


@dataclass
class Aws:
    """Clients for the API; `refused` gives the code that a call is refused with."""

    api: Api
    url: str
    clients: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service.replace("_", "-"),
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id="postroad",
                aws_secret_access_key="postroad",
            )
        return self.clients[service]

    @staticmethod
    def refused(call: Callable[..., Any], **parameters: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        return str(caught.value.response["Error"]["Code"])


class Unsaved(StateFile):
    """A state that isn't written: what is saved is `test_state`'s and the killed daemons' subject."""

    def wait_saved(self, number: int, api_lock: threading.RLock) -> None:
        """Answer at once."""


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    state = Unsaved(tmp_path_factory.mktemp("api"))
    api = Api(state, lambda: None)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    api.serve(listener, "test-api")
    yield Aws(api, f"http://127.0.0.1:{listener.getsockname()[1]}")
    api.stop()


@pytest.fixture
def aws(_served: Aws) -> Aws:
    with _served.api.lock:
        moto_api_backend.reset()
    return _served


@dataclass(frozen=True)
class Place:
    """A VPC with one subnet, and an image to launch."""

    vpc: str
    subnet: str
    image: str


@pytest.fixture
def place(aws: Aws) -> Place:
    vpc = aws.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="us-east-1a")
    return Place(vpc, subnet["Subnet"]["SubnetId"], IMAGE)

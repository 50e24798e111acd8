"""AWS goes away at the worst moments: nothing may be made twice, and nothing that was made may be forgotten."""

import dataclasses
import importlib.util
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from postroad_region.provider import cloud as cloud_module
from postroad_region.provider import configuration, registry
from postroad_region.provider.checking import Naming, check
from postroad_region.provider.errors import InitFailed, Unreachable
from postroad_region.provider.tagging import REQUEST_TAG

_spec = importlib.util.spec_from_file_location("provider_cases", Path(__file__).parent / "cases.py")
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

SERVICES = (
    "acm",
    "autoscaling",
    "cloudwatch",
    "ec2",
    "elbv2",
    "iam",
    "kms",
    "logs",
    "route53",
    "s3",
    "servicequotas",
    "sns",
    "sqs",
    "sts",
)
READS = re.compile(r"(Describe|Get|List|HEAD|GET)")
HARMLESS = re.compile(
    r"(CreateQueue|CreateTopic|RequestCertificate|Put|PUT|Attach(Role|Volume)|Modify|AssociateAddress)"
)
"""Calls that AWS lets happen twice without a second resource (by name or token), or refuses the second time."""


WAITS_ONLY = {"CertificateValidation"}
"""Types that make nothing: they wait for what something else does."""


class Lossy(ThreadingHTTPServer):
    """A way to AWS that passes a request on and then breaks, once for each operation in `loses`, always if `down`."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.loses: set[str] = set()
        self.down = False
        self.done: list[tuple[str, int]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Lossy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = _operation(self.command, self.path, self.headers, body)
        if self.server.down:
            return self._break()
        reply = requests.request(
            self.command, self.server.upstream + self.path, data=body, headers=dict(self.headers), timeout=30
        )
        self.server.done.append((operation, reply.status_code))
        if operation in self.server.loses or ("first change" in self.server.loses and not READS.match(operation)):
            self.server.loses.clear()
            self.server.done.append(("lost " + operation, reply.status_code))
            return self._break()
        self.send_response(reply.status_code)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "content-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.content)))
        self.end_headers()
        return self.wfile.write(reply.content) and None

    def _break(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on

    def log_message(self, *_: Any) -> None:
        pass


def _operation(method: str, path: str, headers: Any, body: bytes) -> str:
    """The API's name of a call where its protocol says it, else method and path."""
    action = re.search(rb"(?:^|&)Action=(\w+)", body)
    if action:
        return action[1].decode()
    target = headers.get("X-Amz-Target")
    return target.rpartition(".")[2] if target else f"{method} {path.partition('?')[0]}"


@pytest.fixture
def lossy(aws: Any) -> Iterator[Lossy]:
    proxy = Lossy(aws.url)
    yield proxy
    proxy.shutdown()
    proxy.server_close()


@pytest.fixture
def through(lossy: Lossy) -> Any:
    """The provider, reaching AWS by the lossy way."""
    keys = {"accessKey": "postroad", "secretKey": "postroad"}
    return configuration.lifecycle({**keys, "endpoints": [dict.fromkeys(SERVICES, lossy.url)], "s3UsePathStyle": True})


def prepared(case: Any, world: Any) -> tuple[Any, dict[str, Any]]:
    resource = registry.RESOURCES[case.type]
    verdict = check(resource, {}, {k: v for k, v in case.inputs(world).items() if v is not None}, Naming("thing"))
    assert verdict.failures == []
    return resource, verdict.inputs


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_a_create_whose_reply_is_lost_makes_one_resource(case: Any, aws: Any, lossy: Lossy, through: Any) -> None:
    resource, inputs = prepared(case, cases.World(aws))
    assert through.cloud().account
    lossy.loses = {"first change"}
    made = through.create(resource, "thing", inputs)
    lost = next((name.removeprefix("lost ") for name, _ in lossy.done if name.startswith("lost ")), None)
    if lost is None:
        assert str(case) in WAITS_ONLY, lossy.done
        return
    happened = [name for name, status in lossy.done if name == lost and status < 300]
    assert len(happened) == 1 or HARMLESS.match(lost), lossy.done
    assert through.diff(resource, made.state, inputs) == []
    assert REQUEST_TAG not in made.state.get("tagsAll", {})


def test_the_tag_that_finds_lost_replies_does_not_stay(aws: Any, through: Any) -> None:
    resource, inputs = prepared(cases.NETWORK[0], cases.World(aws))
    made = through.create(resource, "thing", inputs)
    vpc = aws.client("ec2").describe_vpcs(VpcIds=[made.id])["Vpcs"][0]
    assert {tag["Key"] for tag in vpc["Tags"]} == set(cases.TAGS)


def test_an_endpoint_that_comes_back_is_waited_for(aws: Any, lossy: Lossy, through: Any) -> None:
    resource, inputs = prepared(cases.NETWORK[0], cases.World(aws))
    lossy.down = True
    timer = threading.Timer(1.0, setattr, (lossy, "down", False))
    timer.start()
    made = through.create(resource, "thing", inputs)
    assert through.read(resource, made.id, made.state, inputs).state == made.state


def test_an_endpoint_that_stays_away_is_an_error(aws: Any, through: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_module, "REACH_PATIENCE", 0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        alone = configuration.lifecycle({"accessKey": "x", "secretKey": "x", "endpoints": [{"ec2": nobody}]})
        with pytest.raises(Unreachable, match="ec2:DescribeVpcs"):
            alone.cloud().call("ec2", "describe_vpcs")


def test_what_was_made_before_the_endpoint_went_is_not_forgotten(
    aws: Any, lossy: Lossy, through: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_module, "REACH_PATIENCE", 0.5)
    resource, inputs = prepared(cases.NETWORK[0], cases.World(aws))
    original = resource.settle

    def settle(task: Any, identifier: str) -> None:
        lossy.down = True
        original(task, identifier)

    with pytest.raises(InitFailed) as failure:
        through.create(dataclasses.replace(resource, settle=settle), "thing", inputs)
    lossy.down = False
    made = failure.value
    assert aws.client("ec2").describe_vpcs(VpcIds=[made.id])["Vpcs"]
    differences = through.diff(resource, made.state, inputs)
    assert not any(difference.replaces for difference in differences)
    state = through.update(resource, "thing", made.id, made.state, inputs)
    assert state["enableDnsHostnames"] is True
    assert through.diff(resource, state, inputs) == []

"""The hosts of a stack as the AWS API has them, and what each says of itself."""

from __future__ import annotations

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from postroad_ops.faults import OperationError
from postroad_ops.stack import LOCAL

ADMIN_PORTS = {"mta": 8025, "proxy": 1081}
Result = TypeVar("Result")
API_SECONDS = 30.0
# The one thing about a build that a host tells to everyone who may read its metrics.
BUILD_INFO = re.compile(r'^postroad_\w+_build_info\{[^}]*release="([^"]*)"', re.MULTILINE)
QUEUED = re.compile(r"^postroad_mta_queued_messages(?:\{[^}]*\})? (\S+)", re.MULTILINE)
SESSIONS = re.compile(r"^postroad_\w+_sessions(?:\{[^}]*\})? (\S+)", re.MULTILINE)
TIERS = ("resolver", "mta", "proxy")


@dataclass(frozen=True, slots=True)
class Host:
    """One line of the table.

    Args:
        release: what runs, as the host itself says; empty for a tier without releases, and where it doesn't answer.
        health: `ready`, `not ready`, `no answer`, or the instance's state.
        queued: messages in an MTA's spool, as it says; None for other tiers, and where it doesn't answer.
        sessions: open SMTP connections of an MTA, relayed ones of a proxy.
    """

    tier: str
    name: str
    instance: str
    zone: str
    address: str
    public: str
    release: str
    health: str
    queued: int | None = None
    sessions: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host says of itself, or why it says nothing."""

    health: str
    release: str = ""
    queued: int | None = None
    sessions: int | None = None


# boto3's stubs know literal service names only; here the name is a value.
_client: Any = boto3.client
LOCAL_NAMES = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def client(service: str, stack: str) -> Any:
    """A boto3 client for the stack's account: the region in a box for `local`, else what the environment says.

    One for all who ask: making one reads the service's model, which takes longer than most calls do.
    """
    if stack == "local":
        return _client_of(service, **{name: LOCAL[name] for name in LOCAL_NAMES})
    return _client_of(service, AWS_REGION=os.environ.get("AWS_REGION"))


@cache
def _client_of(service: str, **settings: str | None) -> Any:
    return _client(
        service,
        endpoint_url=settings.get("AWS_ENDPOINT_URL"),
        region_name=settings["AWS_REGION"],
        aws_access_key_id=settings.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=settings.get("AWS_SECRET_ACCESS_KEY"),
        config=Config(retries={"total_max_attempts": 8, "mode": "standard"}, connect_timeout=3, read_timeout=30),
    )


def patiently(action: Callable[[], Result]) -> Result:
    """Call the API, waiting for a daemon that is just starting again: boto3's own retries may be over too soon.

    Safe for reads and for calls that give the same result when repeated.

    Raises:
        OperationError: nothing answered for half a minute, or there is no region at all.
    """
    deadline = time.monotonic() + API_SECONDS
    while True:
        try:
            return action()
        except (ConnectionError, HTTPClientError) as error:
            if time.monotonic() > deadline or not _supervised():
                raise OperationError(f"the AWS API doesn't answer ({error})", remedy="run: make up") from None
            time.sleep(0.2)


def _supervised() -> bool:
    """Whether a region is there at all, so that waiting for its API makes sense."""
    return Path(os.environ.get("POSTROAD_REGION_RUN", "/run/postroad-region")).exists()


def of_stack(stack: str, *, ask: bool = True) -> list[Host]:
    """All running or starting hosts of a stack, by tier and zone; with `ask`, each is asked how it is.

    Raises:
        OperationError: the API can't be reached.
    """
    filters = [
        {"Name": "tag:Project", "Values": ["postroad"]},
        {"Name": "tag:Environment", "Values": [stack]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    try:
        instances = patiently(lambda: _instances(stack, filters))
    except (BotoCoreError, ClientError) as error:
        remedy = "run: make up" if stack == "local" else "check the account's credentials"
        raise OperationError(f"the AWS API of stack {stack} doesn't answer ({error})", remedy=remedy) from None
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda instance: _host(instance, ask=ask), instances))
    order = {tier: number for number, tier in enumerate(TIERS)}
    return sorted(found, key=lambda host: (order.get(host.tier, 9), host.zone, host.instance))


def _instances(stack: str, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pages = client("ec2", stack).get_paginator("describe_instances").paginate(Filters=filters)
    return [i for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]


def _host(instance: dict[str, Any], *, ask: bool) -> Host:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    tier, address = tags.get("Tier", ""), instance.get("PrivateIpAddress", "")
    answer = Answer(instance["State"]["Name"])
    if ask and answer.health == "running":
        answer = _ask(tier, address)
    return Host(
        tier=tier,
        name=tags.get("Name", ""),
        instance=instance["InstanceId"],
        zone=instance["Placement"]["AvailabilityZone"],
        address=address,
        public=_public(instance),
        release=answer.release,
        health=answer.health,
        queued=answer.queued,
        sessions=answer.sessions,
    )


def _public(instance: dict[str, Any]) -> str:
    """The public address that it is known by: its own, else the first that another interface of it has."""
    own = str(instance.get("PublicIpAddress") or "")
    others = sorted(
        address["Association"]["PublicIp"]
        for interface in instance.get("NetworkInterfaces", [])
        for address in interface.get("PrivateIpAddresses", [])
        if address.get("Association", {}).get("PublicIp")
    )
    return own or (others[0] if others else "")


def _ask(tier: str, address: str) -> Answer:
    if tier == "resolver":
        return Answer(_resolves(address))
    port = ADMIN_PORTS.get(tier)
    if port is None:
        return Answer("unknown tier")
    metrics = _get(f"http://{address}:{port}/metrics")
    ready = _get(f"http://{address}:{port}/ready")
    if metrics is None or ready is None:
        return Answer("no answer")
    return answer_of(ready[0], metrics[1].decode("utf-8", "replace"))


def answer_of(ready_status: int, metrics: str) -> Answer:
    """What a host's readiness and metrics (Prometheus text) say."""
    release, queued, sessions = BUILD_INFO.search(metrics), QUEUED.findall(metrics), SESSIONS.findall(metrics)
    return Answer(
        "ready" if ready_status == 200 else "not ready",
        release.group(1) if release else "",
        sum(int(float(count)) for count in queued) if queued else None,
        sum(int(float(count)) for count in sessions) if sessions else None,
    )


def _resolves(address: str) -> str:
    """Whether a resolver validates: a signed root answers with the AD bit."""
    import dns.exception
    import dns.flags
    import dns.message
    import dns.query

    question = dns.message.make_query(".", "SOA", want_dnssec=True)
    question.flags |= dns.flags.AD
    try:
        answer = dns.query.udp(question, address, timeout=2.0)
    except (dns.exception.DNSException, OSError):
        return "no answer"
    return "ready" if answer.flags & dns.flags.AD else "not ready"


def _get(url: str) -> tuple[int, bytes] | None:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return None

"""The door to AWS: shared boto3 clients, retries while an endpoint restarts, waiting on conditions."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore import exceptions as boto_exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from .errors import AwsError, Cancelled, ProviderError, ReplyLost, Unreachable

T = TypeVar("T")

REACH_PATIENCE = 30.0
"""Seconds for which an endpoint may refuse or break connections before a call fails."""

_REFUSED = (
    boto_exceptions.EndpointConnectionError,
    boto_exceptions.ConnectTimeoutError,
    boto_exceptions.ProxyConnectionError,
)
_LOST = (
    boto_exceptions.HTTPClientError,
    boto_exceptions.ConnectionError,
    boto_exceptions.ResponseStreamingError,
    boto_exceptions.IncompleteReadError,
)
_BUSY = {
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "SlowDown",
    "ServiceUnavailable",
    "Unavailable",
    "502",
    "503",
    "504",
}
_CREATES = ("create_", "import_", "allocate_", "run_", "request_", "authorize_", "associate_route_table")
_CREATES_AGAIN = {"create_tags", "create_or_update_tags", "create_bucket", "create_queue", "create_topic"}
# With a token of the caller's, a repetition gives what the first call made.
_TOKENS = {"request_certificate": "IdempotencyToken"}


@dataclass(frozen=True, slots=True)
class Access:
    """How AWS is reached: from the provider's configuration, else from boto3's own sources (environment, profile)."""

    region: str
    endpoints: Mapping[str, str] = field(default_factory=dict)
    access_key: str | None = None
    secret_key: str | None = None
    token: str | None = None
    profile: str | None = None
    s3_path_style: bool = False


class Clients:
    """boto3 clients by service and region, made once; safe to share between threads."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._session = boto3.Session(
            aws_access_key_id=access.access_key,
            aws_secret_access_key=access.secret_key,
            aws_session_token=access.token,
            profile_name=access.profile,
            region_name=access.region,
        )
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def get(self, service: str, region: str) -> Any:
        """The client of a service in a region."""
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                client = self._clients[service, region] = self._session.client(
                    service,  # type: ignore[call-overload]  # a service's name is data here
                    region_name=region,
                    endpoint_url=self.access.endpoints.get(service),
                    config=Config(
                        # One attempt: a second is `Cloud.call`'s decision, since botocore would repeat creates.
                        retries={"total_max_attempts": 1, "mode": "standard"},
                        connect_timeout=5,
                        read_timeout=60,
                        max_pool_connections=32,
                        s3={"addressing_style": "path"} if self.access.s3_path_style else None,
                        user_agent_extra="postroad-aws-provider",
                    ),
                )
            return client


class Cloud:
    """AWS in one region, as the resource descriptions see it.

    Args:
        clients: shared with the other regions' clouds.
        region: the region of every call.
        cancelled: set when the engine wants waits to end.
    """

    def __init__(self, clients: Clients, region: str, cancelled: threading.Event) -> None:
        self.clients = clients
        self.region = region
        self.cancelled = cancelled
        self._account: str | None = None

    @property
    def account(self) -> str:
        """The account id of the credentials."""
        if self._account is None:
            self._account = str(self.call("sts", "get_caller_identity")["Account"])
        return self._account

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def call(self, service: str, operation: str, /, *, repeated: Any = (), **parameters: Any) -> dict[str, Any]:
        """One API call, repeated while the endpoint is away or busy, for at most `REACH_PATIENCE` seconds.

        Args:
            service: boto3's name of the service.
            operation: boto3's name of the method.
            repeated: error codes which, after a lost reply, mean that the call had succeeded; the answer is then empty.
            parameters: the method's parameters.

        Raises:
            AwsError: AWS refused.
            ReplyLost: the call creates something and its reply was lost.
            Unreachable: the endpoint stayed away.
        """
        method = getattr(self.clients.get(service, self.region), operation)
        name = f"{service}:{_camel(operation)}"
        again = operation in _CREATES_AGAIN or _TOKENS.get(operation, "") in parameters
        creates = operation.startswith(_CREATES) and not again and not repeated
        deadline = time.monotonic() + REACH_PATIENCE
        pause, lost = 0.1, False
        while True:
            try:
                return dict(method(**parameters))
            except boto_exceptions.ClientError as error:
                failure = _aws_error(error, name)
                if lost and failure.code in repeated:
                    return {}
                if failure.code not in _BUSY or time.monotonic() > deadline:
                    raise failure from error
            except _REFUSED as error:
                if time.monotonic() > deadline:
                    raise Unreachable(f"{name}: {error} (tried for {REACH_PATIENCE:.0f} s)") from error
            except (*_LOST, boto_exceptions.BotoCoreError, ResponseParserError) as error:
                broken = isinstance(error, ResponseParserError) and "<html" not in str(error)
                if not isinstance(error, _LOST) and not broken:
                    raise ProviderError(f"{name}: {_first_line(error)}") from error
                if creates:
                    raise ReplyLost(f"{name}: {error}") from error
                if time.monotonic() > deadline:
                    raise Unreachable(f"{name}: {error} (tried for {REACH_PATIENCE:.0f} s)") from error
                lost = True
            self.pause(pause)
            pause = min(pause * 1.6, 2.0)

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> list[Any]:
        """All items under `key` of a listing that AWS hands out in pages."""
        paginator = self.clients.get(service, self.region).get_paginator(operation)
        tokens = paginator._pagination_cfg
        given, wanted = _names(tokens["input_token"]), _names(tokens["output_token"])
        items: list[Any] = []
        more: dict[str, Any] = {}
        while True:
            reply = self.call(service, operation, **parameters, **more)
            items += reply.get(key) or []
            more = {name: reply[token] for name, token in zip(given, wanted, strict=True) if reply.get(token)}
            if not more or reply.get("IsTruncated") is False:
                return items

    def creating(self, attempt: Callable[[], T], find: Callable[[], T | None]) -> T:
        """Run a creating call once: after a lost reply, look for what it made before trying again.

        Args:
            attempt: makes the call.
            find: looks for what an attempt whose reply was lost may have made.
        """
        deadline = time.monotonic() + REACH_PATIENCE
        while True:
            try:
                return attempt()
            except ReplyLost:
                found = find()
                if found is not None:
                    return found
                if time.monotonic() > deadline:
                    raise

    def wait_until(self, condition: Callable[[], T | None], *, seconds: float, what: str) -> T:
        """Ask again and again until `condition` returns something true, and return that.

        Raises:
            ProviderError: it didn't within `seconds`; `what` says what was waited for.
        """
        deadline = time.monotonic() + seconds
        pause = 0.1
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise ProviderError(f"waited {seconds:.0f} s for {what}, in vain")
            self.pause(pause)
            pause = min(pause * 1.5, 3.0)
        return answer

    def pause(self, seconds: float) -> None:
        """Wait, unless the engine cancels."""
        if self.cancelled.wait(seconds):
            raise Cancelled("cancelled by the engine")


def _names(token: str | list[str]) -> list[str]:
    return [token] if isinstance(token, str) else list(token)


def _camel(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))


def _first_line(error: Exception) -> str:
    """What an error says, without the page that it may quote."""
    return str(error).partition("\n")[0]


def _aws_error(error: boto_exceptions.ClientError, operation: str) -> AwsError:
    details = error.response.get("Error", {})
    return AwsError(str(details.get("Code", "Unknown")), str(details.get("Message", error)), operation)

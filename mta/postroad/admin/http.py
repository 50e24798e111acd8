"""A small HTTP/1.1 server for operators and other MTAs: few routes, short answers, one request a connection."""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

import h11

from postroad.wire.proxy_protocol import HeaderError, without_header

_MAX_REQUEST = 64 << 10
_TIMEOUT = 10.0
_BODY_TIMEOUT = 300.0
"""Seconds for a request with a body and its answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and its type."""

    status: int
    body: bytes
    content_type: str = "application/json"

    @classmethod
    def json(cls, data: Any, status: int = 200) -> "Answer":
        """An answer of JSON."""
        return cls(status, json.dumps(data).encode() + b"\n")

    @classmethod
    def text(cls, text: str, status: int = 200) -> "Answer":
        """An answer for people."""
        return cls(status, text.encode() + b"\n", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A request whose client may make it."""

    parameters: dict[str, str]
    body: bytearray
    peer: str
    """Address of the client."""


Handler = Callable[[AdminRequest], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """What answers to a method and path; `open` routes need no token, `max_body` is in octets."""

    handler: Handler
    open: bool = False
    max_body: int = 0


class AdminServer:
    """Answers requests by a table of (method, path).

    Routes that aren't open need the bearer token, or, without one configured, a client on loopback. Bodies are read
    only of who may send one, and of all clients together only up to `body_memory` octets, or a single one.
    """

    def __init__(
        self, routes: dict[tuple[str, str], AdminRoute], *, token: str | None, body_memory: int = 64 << 20
    ) -> None:
        self._routes = routes
        self._token = token
        self._body_memory = body_memory
        self._bodies = 0

    def protocol(self) -> asyncio.Protocol:
        """For `create_server`."""
        return _AdminConnection(self, trusted=False)

    def trusting_protocol(self) -> asyncio.Protocol:
        """For a connection whose other end has judged its client already: a supervisor's."""
        return _AdminConnection(self, trusted=True)

    def route(self, method: str, path: str, headers: dict[str, str], peer: str | None) -> AdminRoute | Answer:
        """Who answers a request, or the answer that nobody does; a client that is `None` may ask anything."""
        route = self._routes.get((method, path))
        if route is None:
            known = [known_method for known_method, known_path in self._routes if known_path == path]
            if known:
                return Answer.json({"error": f"{path} takes {', '.join(known)}"}, 405)
            paths = ", ".join(f"{known_method} {known_path}" for known_method, known_path in self._routes)
            return Answer.json({"error": f"no such path; there are {paths}"}, 404)
        if not route.open and peer is not None and (refusal := self._refusal(headers, peer)) is not None:
            return refusal
        return route

    def admit_body(self, route: AdminRoute, headers: dict[str, str]) -> int | Answer:
        """The size of a request's body, counted from now on until `body_done`; or why it isn't read."""
        if "transfer-encoding" in headers:
            return Answer.json({"error": "a body needs a Content-Length"}, 411)
        size = int(headers.get("content-length", "0"))
        if size > route.max_body:
            return Answer.json({"error": f"a body of {size} octets: at most {route.max_body} are taken"}, 413)
        if self._bodies and self._bodies + size > self._body_memory:
            return Answer.json({"refused": "busy with other requests, try again", "error": "busy, try again"}, 503)
        self._bodies += size
        return size

    def body_done(self, size: int) -> None:
        """A body's octets are in memory no longer."""
        self._bodies -= size

    def _refusal(self, headers: dict[str, str], peer: str) -> Answer | None:
        if self._token is None:
            if ipaddress.ip_address(peer.partition("%")[0]).is_loopback:
                return None
            return Answer.json({"error": "answers on loopback only: no [admin] token_file is configured"}, 403)
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return None
        return Answer.json({"error": "needs the bearer token of [admin] token_file"}, 401)


class _AdminConnection(asyncio.Protocol):
    def __init__(self, server: AdminServer, *, trusted: bool) -> None:
        self._server = server
        self._trusted = trusted
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_REQUEST)
        # A load balancer's probe begins with a PROXY header too; it is passed over, and nobody is believed for it.
        self._opening: bytes | None = b""
        self._route: AdminRoute | None = None
        self._parameters: dict[str, str] = {}
        self._body = bytearray()
        self._counted = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._limit_time(_TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is None:
            self._forget_body()

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing() or self._task is not None:
            return
        try:
            if self._opening is not None:
                self._opening += data
                after = without_header(self._opening)
                if after is None:
                    return
                data, self._opening = after, None
                if not data:
                    return
            self._connection.receive_data(data)
            self._advance()
        except HeaderError:
            self._transport.abort()
        except h11.RemoteProtocolError as error:
            self._send(Answer.text(f"bad request: {error}", error.error_status_hint))

    def _advance(self) -> None:
        while not self._transport.is_closing():
            match self._connection.next_event():
                case h11.Request() as request:
                    self._begin(request)
                case h11.Data(data=data):
                    self._body += data
                case h11.EndOfMessage():
                    self._answer()
                    return
                case _:
                    return

    def _begin(self, request: h11.Request) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
        path, _, query = request.target.decode("latin-1").partition("?")
        route = self._server.route(request.method.decode(), path, headers, None if self._trusted else self._peer)
        if isinstance(route, Answer):
            self._send(route)
            return
        size = self._server.admit_body(route, headers)
        if isinstance(size, Answer):
            self._send(size)
            return
        self._counted = size
        if route.max_body:
            self._limit_time(_BODY_TIMEOUT)
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(self._connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        self._route = route
        self._parameters = dict(parse_qsl(query, keep_blank_values=True))

    def _answer(self) -> None:
        assert self._route is not None
        answer = self._route.handler(AdminRequest(self._parameters, self._body, self._peer))
        if isinstance(answer, Answer):
            self._send(answer)
        else:
            # It ends even if the client goes away: what it does is done.
            self._task = asyncio.get_running_loop().create_task(self._answer_later(answer))

    async def _answer_later(self, work: Awaitable[Answer]) -> None:
        try:
            self._send(await work)
        finally:
            self._forget_body()

    def _send(self, answer: Answer) -> None:
        if self._transport.is_closing():
            return
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Connection", "close"),
        ]
        if answer.status == 401:
            headers.append(("WWW-Authenticate", "Bearer"))
        pieces = [
            self._connection.send(h11.Response(status_code=answer.status, headers=headers)),
            self._connection.send(h11.Data(data=answer.body)),
            self._connection.send(h11.EndOfMessage()),
        ]
        self._transport.write(b"".join(piece for piece in pieces if piece))
        self._transport.close()

    @property
    def _peer(self) -> str:
        return "" if self._trusted else str(self._transport.get_extra_info("peername")[0])

    def _limit_time(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._transport.abort)

    def _forget_body(self) -> None:
        self._body = bytearray()
        self._server.body_done(self._counted)
        self._counted = 0

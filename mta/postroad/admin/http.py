"""A small HTTP/1.1 server for operators and other MTAs: few routes, short answers, one request a connection."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

import h11

from postroad.admin.access import Access, Caller, Refusal
from postroad.tls.channel import TlsChannel, TlsError
from postroad.wire.proxy_protocol import HeaderError, without_header

_MAX_REQUEST = 64 << 10
_TIMEOUT = 10.0
_BODY_TIMEOUT = 300.0
"""Seconds for a request with a body and its answer."""
_LONGEST_NOTE = 2000
"""Octets of a request's or an answer's body that go into the log."""


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
    """Address of the client; empty for a supervisor."""


Handler = Callable[[AdminRequest], Answer | Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """What answers to a method and path.

    Args:
        open: everybody may ask.
        max_body: octets.
        audited: the log says who asked for what, and what came of it.
    """

    handler: Handler
    open: bool = False
    max_body: int = 0
    audited: bool = False


class AdminServer:
    """Answers requests by a table of (method, path), as far as `access` lets their clients.

    Bodies are read only of who may send one, and of all clients together only up to `body_memory` octets, or a single
    one.
    """

    def __init__(
        self, routes: dict[tuple[str, str], AdminRoute], access: Access, log: Any, *, body_memory: int = 64 << 20
    ) -> None:
        self._routes = routes
        self._access = access
        self._log = log
        self._body_memory = body_memory
        self._bodies = 0

    def protocol(self) -> asyncio.Protocol:
        """For `create_server`."""
        certificate = self._access.certificate
        return _AdminConnection(self, TlsChannel(certificate.context) if certificate is not None else None)

    def trusting_protocol(self) -> asyncio.Protocol:
        """For a connection whose other end has judged its client already: a supervisor's."""
        return _AdminConnection(self, None, trusted=True)

    def route(self, method: str, path: str) -> AdminRoute | Answer:
        """Who answers a request, or the answer that nobody does."""
        route = self._routes.get((method, path))
        if route is not None:
            return route
        known = [known_method for known_method, known_path in self._routes if known_path == path]
        if known:
            return Answer.json({"error": f"{path} takes {', '.join(known)}"}, 405)
        paths = ", ".join(f"{known_method} {known_path}" for known_method, known_path in self._routes)
        return Answer.json({"error": f"no such path; there are {paths}"}, 404)

    def judge(
        self, route: AdminRoute, asked: str, headers: dict[str, str], peer: str, client: bytes | None
    ) -> Caller | Answer:
        """Who asks, or the answer that it may not."""
        judged = self._access.judge(
            open=route.open, address=peer, authorization=headers.get("authorization", ""), client=client
        )
        if isinstance(judged, Refusal):
            self._log.warning("admin_refused", peer=peer, asked=asked, reason=judged.reason)
            return Answer.json({"error": judged.reason}, judged.status)
        return judged

    def tls_failed(self, peer: str, reason: str) -> None:
        """A handshake came to nothing."""
        self._log.warning("admin_tls_failed", peer=peer, reason=reason)

    def note(self, caller: Caller, asked: str, request: AdminRequest, answer: Answer) -> None:
        """Leave in the log who asked for what, and what came of it."""
        body = _noted(request.body)
        self._log.info(
            "admin_request", who=caller.name, peer=request.peer, asked=asked, parameters=request.parameters, body=body,
            status=answer.status, answer=_noted(answer.body),
        )  # fmt: skip

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


def _noted(body: bytes | bytearray) -> Any:
    """A short body as it is in the log: as JSON where it is any."""
    if not body or len(body) > _LONGEST_NOTE:
        return f"{len(body)} octets" if body else None
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return body.decode("utf-8", "replace")


class _AdminConnection(asyncio.Protocol):
    def __init__(self, server: AdminServer, tls: TlsChannel | None, *, trusted: bool = False) -> None:
        self._server = server
        self._tls = tls
        self._trusted = trusted
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_REQUEST)
        # A load balancer's probe begins with a PROXY header too; it is passed over, and nobody is believed for it.
        self._opening: bytes | None = b""
        self._route: AdminRoute | None = None
        self._caller: Caller | None = None
        self._asked = ""
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
            if self._tls is not None:
                data = self._decrypt(self._tls, data)
                if not data:
                    return
            self._connection.receive_data(data)
            self._advance()
        except HeaderError:
            self._transport.abort()
        except h11.RemoteProtocolError as error:
            self._send(Answer.text(f"bad request: {error}", error.error_status_hint))

    def _decrypt(self, tls: TlsChannel, data: bytes) -> bytes:
        """What the client said under TLS; empty while there is nothing whole."""
        began = tls.established
        try:
            said = tls.receive(data)
        except TlsError as error:
            self._tls_failed(tls, str(error), began=began)
            return b""
        if data := tls.data_to_send():
            self._transport.write(data)
        if tls.closed and not said:
            self._transport.close()
        return said

    def _tls_failed(self, tls: TlsChannel, reason: str, *, began: bool) -> None:
        alert = tls.data_to_send()
        if reason == "http request":
            self._tls = None
            self._send(Answer.json({"error": "this port speaks TLS: write https:// instead of http://"}, 400))
        else:
            self._transport.write(alert)
            self._transport.close()
        if not began:
            self._server.tls_failed(self._peer, reason)

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
        self._asked = f"{request.method.decode()} {path}"
        route = self._server.route(request.method.decode(), path)
        if isinstance(route, Answer):
            self._send(route)
            return
        if not self._trusted:
            client = self._tls.client_certificate if self._tls is not None else None
            caller = self._server.judge(route, self._asked, headers, self._peer, client)
            if isinstance(caller, Answer):
                self._send(caller)
                return
            self._caller = caller
        size = self._server.admit_body(route, headers)
        if isinstance(size, Answer):
            self._send(size)
            return
        self._counted = size
        if route.max_body:
            self._limit_time(_BODY_TIMEOUT)
        if headers.get("expect", "").lower() == "100-continue":
            self._write(self._connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        self._route = route
        self._parameters = dict(parse_qsl(query, keep_blank_values=True))

    def _answer(self) -> None:
        assert self._route is not None
        request = AdminRequest(self._parameters, self._body, self._peer)
        answer = self._route.handler(request)
        if isinstance(answer, Answer):
            self._done(self._route, request, answer)
        else:
            # It ends even if the client goes away: what it does is done.
            self._task = asyncio.get_running_loop().create_task(self._answer_later(self._route, request, answer))

    async def _answer_later(self, route: AdminRoute, request: AdminRequest, work: Awaitable[Answer]) -> None:
        try:
            self._done(route, request, await work)
        finally:
            self._forget_body()

    def _done(self, route: AdminRoute, request: AdminRequest, answer: Answer) -> None:
        if route.audited and self._caller is not None:
            self._server.note(self._caller, self._asked, request, answer)
        self._send(answer)

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
        self._write(b"".join(piece for piece in pieces if piece))
        if self._tls is not None:
            self._tls.close()
            self._transport.write(self._tls.data_to_send())
        self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.send(data)
            data = self._tls.data_to_send()
        self._transport.write(data)

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

"""A small HTTP/1.1 server for operators: few routes, short answers, one request a connection."""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import h11

from postroad.wire.proxy_protocol import HeaderError, without_header

_MAX_REQUEST = 64 << 10
_TIMEOUT = 10.0


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


Handler = Callable[[dict[str, str]], Answer]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """What answers to a method and path; `open` routes need no token."""

    handler: Handler
    open: bool = False


class AdminServer:
    """Answers requests by a table of (method, path).

    Routes that aren't open need the bearer token, or, without one configured, a client on loopback.
    """

    def __init__(self, routes: dict[tuple[str, str], AdminRoute], *, token: str | None) -> None:
        self._routes = routes
        self._token = token

    def protocol(self) -> asyncio.Protocol:
        """For `create_server`."""
        return _AdminConnection(self)

    def answer(self, method: str, target: str, headers: dict[str, str], peer: str) -> Answer:
        """The answer to one request."""
        path, _, query = target.partition("?")
        route = self._routes.get((method, path))
        if route is None:
            known = [known_method for known_method, known_path in self._routes if known_path == path]
            if known:
                return Answer.json({"error": f"{path} takes {', '.join(known)}"}, 405)
            paths = ", ".join(f"{known_method} {known_path}" for known_method, known_path in self._routes)
            return Answer.json({"error": f"no such path; there are {paths}"}, 404)
        if not route.open and (refusal := self._refusal(headers, peer)) is not None:
            return refusal
        parameters = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        return route.handler(parameters)

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
    def __init__(self, server: AdminServer) -> None:
        self._server = server
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_REQUEST)
        # A load balancer's probe begins with a PROXY header too; it is passed over, and nobody is believed for it.
        self._opening: bytes | None = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = asyncio.get_running_loop().call_later(_TIMEOUT, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
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
            event = self._connection.next_event()
            if not isinstance(event, h11.Request):
                return
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
            peer = str(self._transport.get_extra_info("peername")[0])
            answer = self._server.answer(event.method.decode(), event.target.decode("latin-1"), headers, peer)
        except HeaderError:
            self._transport.abort()
            return
        except h11.RemoteProtocolError as error:
            answer = Answer.text(f"bad request: {error}", error.error_status_hint)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
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

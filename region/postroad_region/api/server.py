"""The API's HTTP side: one request at a time, each change on disk before its answer."""

from __future__ import annotations

import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import structlog
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from postroad_region.api import long_poll, pulse
from postroad_region.api.bucket_policy import ANONYMOUS, request_context
from postroad_region.api.state import StateFile

log = structlog.get_logger("api")

READS = re.compile(r"^(Describe|Get|List|Head|Lookup|Receive|Test)")
LARGEST_FORM = 1 << 20
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
STATUS_PATH = "/_postroad/status"
BODY_SECONDS = 60.0
"""How long a client may pause within its request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the number of the change that must be on disk before it is given; 0 for none."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    number: int


class Api:
    """moto behind a lock and a state file; `changed` is called after every change, in the request's thread."""

    def __init__(self, state: StateFile, changed: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        self._state = state
        self._changed = changed
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._servers: list[BaseWSGIServer] = []
        self.status: Callable[[], dict[str, Any]] = dict
        self.context: Callable[[dict[str, Any]], dict[str, str]] = operator_context

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The WSGI entry."""
        path = str(environ.get("PATH_INFO", ""))
        if path == STATUS_PATH:
            document = json.dumps(self.status(), default=str).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(document)))])
            return [document]
        if path.startswith("/moto-api"):
            start_response("404 Not Found", [("Content-Length", "0")])
            return [b""]
        context = self.context(environ)
        if not is_signed(environ):
            context = {**context, ANONYMOUS: "true"}
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                # What a bucket policy may open to everyone is reading; all else needs a signature.
                start_response("403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(DENIED)))])
                return [DENIED]
        try:
            octets = read_body(environ)
        except OSError:
            start_response("408 Request Timeout", [("Content-Length", "0"), ("Connection", "close")])
            return [b""]
        action = action_of(environ, octets)
        if action == "ReceiveMessage":
            answer = long_poll.receive(octets, lambda asked: self._answer(environ, asked, context))
        else:
            answer = self._answer(environ, octets, context, changes=not is_read(environ, action))
        if answer.number:
            self._state.wait_saved(answer.number, self.lock)
            self._changed()
            log.info("change", action=action or f"{environ['REQUEST_METHOD']} {path}", status=answer.status.split()[0])
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _answer(
        self, environ: dict[str, Any], octets: bytes, context: dict[str, str], *, changes: bool = False
    ) -> Answer:
        """What moto answers, alone: whatever may wait, as for a client or a message, waits elsewhere."""
        captured: list[Any] = []

        def capture(status: str, headers: list[tuple[str, str]], info: Any = None) -> Callable[[bytes], None]:
            captured[:] = [status, headers]
            return lambda _: None

        request = {**environ, "wsgi.input": io.BytesIO(octets), "CONTENT_LENGTH": str(len(octets))}
        with self.lock:
            request_context.set(context)
            body = b"".join(self._moto(request, capture))
            number = self._state.changed() if changes else 0
        status, headers = captured
        return Answer(status, headers, body, number)

    def serve(self, listener: socket.socket, name: str) -> None:
        """Answer on a listening socket in a thread of its own."""
        host, port = listener.getsockname()[:2]
        server = make_server(host, port, self, threaded=True, request_handler=_Handler, fd=listener.fileno())
        server.postroad_listener = listener  # type: ignore[attr-defined]
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name=name, daemon=True).start()

    def stop(self) -> None:
        """Stop answering."""
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def beat(self) -> bool:
        """Do what is due without a call (alarms, scaling, lifecycle timeouts), saved; whether anything changed."""
        with self.lock:
            if not pulse.beat():
                return False
            number = self._state.changed()
        self._state.wait_saved(number, self.lock)
        return True

    def save(self) -> None:
        """Save what the region itself changed in the backends."""
        with self.lock:
            number = self._state.changed()
        self._state.wait_saved(number, self.lock)


def is_signed(environ: dict[str, Any]) -> bool:
    """Whether a request carries a signature, in its header or its query; the box doesn't verify it."""
    query = str(environ.get("QUERY_STRING", ""))
    return bool(environ.get("HTTP_AUTHORIZATION")) or "X-Amz-Signature=" in query


def operator_context(environ: dict[str, Any]) -> dict[str, str]:
    """Condition keys of a request on the operator's port, which stands for AWS's public endpoint over TLS."""
    return {"aws:SecureTransport": "true", "aws:SourceIp": str(environ.get("REMOTE_ADDR", ""))}


def read_body(environ: dict[str, Any]) -> bytes:
    """The whole body of a request.

    Raises:
        OSError: the client stopped sending it, as a host does that is terminated meanwhile.
    """
    if not environ.get("CONTENT_LENGTH") and not environ.get("wsgi.input_terminated"):
        return b""
    connection: socket.socket | None = environ.get("werkzeug.socket")
    if connection is None:
        return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    connection.settimeout(BODY_SECONDS)
    try:
        if environ.get("wsgi.input_terminated"):
            return bytes(environ["wsgi.input"].read())
        wanted = int(environ["CONTENT_LENGTH"])
        octets = bytes(environ["wsgi.input"].read(wanted))
    finally:
        connection.settimeout(None)
    if len(octets) < wanted:
        raise ConnectionResetError("the client left within its request")
    return octets


def action_of(environ: dict[str, Any], octets: bytes) -> str:
    """The API action of a query or JSON protocol request; empty for REST ones."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rsplit(".", 1)[-1]
    query = parse_qs(str(environ.get("QUERY_STRING", "")))
    if "Action" in query:
        return query["Action"][0]
    if "x-www-form-urlencoded" not in str(environ.get("CONTENT_TYPE", "")) or len(octets) > LARGEST_FORM:
        return ""
    return parse_qs(octets.decode("utf-8", "replace")).get("Action", [""])[0]


def is_read(environ: dict[str, Any], action: str) -> bool:
    """Whether a request can't change anything."""
    if action:
        return READS.match(action) is not None
    return environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece: boto3 takes a head without its body, from a daemon that was killed between the
    # two, for an answer, and doesn't ask again.
    wbufsize = 1 << 20

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: a client that waits for this would wait until it tires."""
        asked = super().handle_expect_100()
        self.wfile.flush()
        return asked

    def log(self, type: str, message: str, *args: Any) -> None:
        """Changes are logged by the API itself; reads aren't."""

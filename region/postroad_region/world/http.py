"""The world's HTTP: small answers over a Unix socket or a loopback address, one request a connection."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_REQUEST_LIMIT = 16_384
_BODY_LIMIT = 65_536
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """Method, path, query, lower-case host without port, and body of a request."""

    method: str
    path: str
    query: dict[str, str]
    host: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A status with JSON, with plain text, or with lines of JSON as they come."""

    status: HTTPStatus = HTTPStatus.OK
    content: Any = field(default_factory=dict)
    lines: AsyncIterator[bytes] | None = None
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class BadRequestError(Exception):
    """The text says what is wrong with the request."""


Respond = Callable[[Request], Awaitable[Response]]


def parse_request(head: bytes) -> Request:
    """The request of a head, which ends with its empty line; the body isn't in it.

    Raises:
        BadRequestError: it isn't HTTP/1.
    """
    try:
        method, target, version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    except (UnicodeDecodeError, ValueError):
        raise BadRequestError("this is no request line") from None
    if not version.startswith("HTTP/1."):
        raise BadRequestError("only HTTP/1 is spoken here")
    try:
        parts = urlsplit(target)
    except ValueError:
        raise BadRequestError("this is no path") from None
    host = _header(head, b"host").lower().partition(":")[0]
    return Request(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), host)


def body_length(head: bytes) -> int:
    """How long the body is.

    Raises:
        BadRequestError: it isn't said, or too long.
    """
    text = _header(head, b"content-length") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > _BODY_LIMIT:
        raise BadRequestError(f"the body's length isn't a number up to {_BODY_LIMIT}")
    if _header(head, b"transfer-encoding"):
        raise BadRequestError("bodies are taken with Content-Length only")
    return int(text)


async def serve(address: str, respond: Respond) -> asyncio.Server:
    """Listen on `unix:PATH` (owner only) or `HOST:PORT`."""
    if address.startswith("unix:"):
        listener = _unix_listener(address)
        return await asyncio.start_unix_server(answer_with(respond), sock=listener, limit=_REQUEST_LIMIT)
    host, _, port = address.rpartition(":")
    return await asyncio.start_server(answer_with(respond), host, int(port), limit=_REQUEST_LIMIT)


def answer_with(respond: Respond) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What serves one connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            try:
                response = await respond(await _read(reader))
            except BadRequestError as error:
                response = Response(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            await _send(writer, response)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    return answer


async def _read(reader: asyncio.StreamReader) -> Request:
    async with asyncio.timeout(_SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        request = parse_request(head)
        body = await reader.readexactly(body_length(head))
    return Request(request.method, request.path, request.query, request.host, body)


def _header(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip().decode("latin-1")
    return ""


def _unix_listener(address: str) -> socket.socket:
    path = Path(address.removeprefix("unix:"))
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


async def _send(writer: asyncio.StreamWriter, response: Response) -> None:
    if response.lines is not None:
        kind = "application/x-ndjson"
    else:
        kind = "application/json" if response.text is None else "text/plain; charset=utf-8"
    head = f"HTTP/1.1 {response.status} {response.status.phrase}\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    if response.lines is None:
        text = response.text if response.text is not None else json.dumps(response.content) + "\n"
        content = text.encode()
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    else:
        # Chunked, so that a reader sees whether the answer came to its end.
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        async for chunk in response.lines:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()

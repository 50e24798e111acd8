"""The world's HTTP: small answers over a Unix socket or a loopback address, one request a connection."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_REQUEST_LIMIT = 16_384
_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Request:
    """Method, path and query of a request; bodies are ignored."""

    method: str
    path: str
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """A status with JSON, or with lines of JSON as they come."""

    status: HTTPStatus = HTTPStatus.OK
    content: Any = field(default_factory=dict)
    lines: AsyncIterator[bytes] | None = None


class BadRequestError(Exception):
    """The text says what is wrong with the request."""


def parse_request(head: bytes) -> Request:
    """The request of a head, which ends with its empty line.

    Raises:
        BadRequestError: it isn't HTTP/1.
    """
    try:
        method, target, version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
    except (UnicodeDecodeError, ValueError):
        raise BadRequestError("this is no request line") from None
    if not version.startswith("HTTP/1."):
        raise BadRequestError("only HTTP/1 is spoken here")
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)))


async def serve(address: str, respond: Callable[[Request], Awaitable[Response]]) -> asyncio.Server:
    """Listen on `unix:PATH` (owner only) or `HOST:PORT`."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            try:
                response = await respond(parse_request(head))
            except BadRequestError as error:
                response = Response(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            await _send(writer, response)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        finally:
            writer.close()

    if address.startswith("unix:"):
        return await asyncio.start_unix_server(answer, sock=_unix_listener(address), limit=_REQUEST_LIMIT)
    host, _, port = address.rpartition(":")
    return await asyncio.start_server(answer, host, int(port), limit=_REQUEST_LIMIT)


def _unix_listener(address: str) -> socket.socket:
    path = Path(address.removeprefix("unix:"))
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


async def _send(writer: asyncio.StreamWriter, response: Response) -> None:
    kind = "application/json" if response.lines is None else "application/x-ndjson"
    head = f"HTTP/1.1 {response.status} {response.status.phrase}\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    if response.lines is None:
        content = json.dumps(response.content).encode() + b"\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    else:
        # Chunked, so that a reader sees whether the answer came to its end.
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        async for chunk in response.lines:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    await writer.drain()

"""A request to a worker's admin server, over a socket pair."""

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import Any

import h11


class NoAnswerError(RuntimeError):
    """The worker didn't answer."""


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What a worker said."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def ask(
    connection: socket.socket, method: str, target: str, body: bytes | bytearray, seconds: float
) -> WorkerAnswer:
    """Make one request on a connection, which is closed afterwards.

    Raises:
        NoAnswerError: none came in `seconds`, or the worker ended.
    """
    http = h11.Connection(h11.CLIENT)
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                headers = [("Host", "worker"), ("Connection", "close"), ("Content-Length", str(len(body)))]
                pieces = [
                    http.send(h11.Request(method=method, target=target, headers=headers)),
                    http.send(h11.Data(data=bytes(body))) if body else b"",
                    http.send(h11.EndOfMessage()),
                ]
                for piece in pieces:
                    writer.write(piece or b"")
                await writer.drain()
                return await _answer(http, reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, h11.RemoteProtocolError) as error:
        raise NoAnswerError(str(error) or type(error).__name__) from None


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> WorkerAnswer:
    status, content_type, body = 0, "", bytearray()
    while True:
        match http.next_event():
            case h11.NEED_DATA:
                http.receive_data(await reader.read(1 << 18))
            case h11.Response(status_code=code, headers=headers):
                status = code
                content_type = next((value.decode() for name, value in headers if name == b"content-type"), "")
            case h11.Data(data=data):
                body += data
            case h11.EndOfMessage():
                return WorkerAnswer(status, content_type, bytes(body))
            case _:
                raise h11.RemoteProtocolError("ended within its answer")

"""One request to another MTA's admin port: what is known of it afterwards, and no more."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h11

from postroad.content.key_error import KeyFileError
from postroad.drain.verdict import NotSent, Refused, Unanswered
from postroad.settings.units import Endpoint

_CHUNK = 1 << 18
_MAX_ANSWER = 4 << 20
_DEFINITE = (400, 401, 403, 404, 405, 411, 413)
"""Refusals that nobody gives for a request that is carried out; others count only in an MTA's own words."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer of an MTA that did what it was asked."""

    data: dict[str, Any]


class PeerClient:
    """Asks one MTA.

    Args:
        token: bearer token that it wants; None if it wants none.
        timeout: seconds for a request and its answer.
        tls: makes what TLS is spoken with, for each request; None if it isn't spoken. May raise KeyFileError.
    """

    def __init__(
        self,
        address: Endpoint,
        *,
        token: str | None,
        timeout: float,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._address = address
        self._token = token
        self._timeout = timeout
        self._tls = tls

    async def ask(self, method: str, path: str, body: Sequence[bytes] = ()) -> Done | Refused | NotSent | Unanswered:
        """Make a request on a connection of its own.

        The body is sent when the other side has asked for it, so that a refusal is read and not cut off.
        """
        conversation = _Conversation()
        try:
            async with asyncio.timeout(self._timeout):
                await conversation.open(self._address, self._tls() if self._tls is not None else None)
                return await conversation.ask(self._head(method, path, sum(map(len, body))), body)
        except (OSError, TimeoutError, h11.RemoteProtocolError, KeyFileError, _ClosedError) as error:
            reason = f"did not answer in {self._timeout:g} s" if isinstance(error, TimeoutError) else str(error)
            return Unanswered(reason) if conversation.sent_all else NotSent(reason or type(error).__name__)
        finally:
            conversation.close()

    def _head(self, method: str, path: str, size: int) -> h11.Request:
        headers = [("Host", str(self._address)), ("Content-Length", str(size)), ("Connection", "close")]
        if size:
            headers.append(("Expect", "100-continue"))
        if self._token is not None:
            headers.append(("Authorization", f"Bearer {self._token}"))
        return h11.Request(method=method, target=path, headers=headers)


class _ClosedError(Exception):
    """The other side closed the connection without an answer."""


class _Conversation:
    """One request and its answer."""

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self.sent_all = False
        """The last octet may have gone out: the request may be carried out."""

    async def open(self, address: Endpoint, tls: ssl.SSLContext | None) -> None:
        self._reader, self._writer = await asyncio.open_connection(address.host, address.port, ssl=tls)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    async def ask(self, head: h11.Request, body: Sequence[bytes]) -> Done | Refused | Unanswered:
        assert self._writer is not None
        self.sent_all = not body
        self._writer.write(self._connection.send(head) or b"")
        if body:
            event = await self._next_event()
            if not isinstance(event, h11.InformationalResponse):
                return await self._answer(event)
            await self._send_body(body)
        self._writer.write(self._connection.send(h11.EndOfMessage()) or b"")
        return await self._answer(await self._next_event())

    async def _send_body(self, body: Sequence[bytes]) -> None:
        assert self._writer is not None
        chunks = list(_chunks(body))
        for number, chunk in enumerate(chunks, 1):
            self.sent_all = number == len(chunks)
            self._writer.write(self._connection.send(h11.Data(data=chunk)) or b"")
            await self._writer.drain()

    async def _next_event(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            data = await self._reader.read(1 << 16)
            if not data and self._connection.their_state is h11.SEND_RESPONSE:
                raise _ClosedError("closed the connection without an answer")
            self._connection.receive_data(data)
        return event

    async def _answer(self, event: Any) -> Done | Refused | Unanswered:
        while isinstance(event, h11.InformationalResponse):
            event = await self._next_event()
        assert isinstance(event, h11.Response)
        body = b""
        while isinstance(part := await self._next_event(), h11.Data):
            body += part.data
            if len(body) > _MAX_ANSWER:
                return Unanswered("answered with more than an MTA would")
        data: Any = None
        with contextlib.suppress(ValueError):
            data = json.loads(body)
        return _judge(event.status_code, data if isinstance(data, dict) else {})


def _chunks(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The same octets in pieces worth a system call each."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            yield b"".join(gathered)
            gathered, size = [], 0
    if size:
        yield b"".join(gathered)


def _judge(status: int, data: dict[str, Any]) -> Done | Refused | Unanswered:
    if status == 200 and "spool" in data:
        return Done(data)
    reason = str(data.get("refused") or data.get("error") or f"answered {status} as no MTA does")
    if "refused" in data or status in _DEFINITE:
        return Refused(reason)
    return Unanswered(reason)

"""A small SMTP client: one message a connection, from a given address, STARTTLS where it is offered.

It doesn't verify certificates, as most senders of bounces don't (RFC 7435).
"""

import asyncio
import contextlib
import re
import ssl
from dataclasses import dataclass

_STEP_SECONDS = 30.0
_REPLY_LINES = 100
_STATUS = re.compile(rb"(\d{3})([ -]?)(.*)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's whole reply."""

    code: int
    text: str


class RefusedError(Exception):
    """The other side refuses; the text is its reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code} {reply.text}")
        self.permanent = reply.code >= 500


@dataclass(frozen=True, slots=True)
class Parcel:
    """What to hand over, from `<>` unless there is a sender."""

    ehlo: str
    sender: str
    recipient: str
    content: bytes


async def deliver(parcel: Parcel, *, host: str, port: int, local: str) -> None:
    """Hand a message over.

    Raises:
        RefusedError: it was refused.
        OSError, TimeoutError: the host can't be reached or doesn't keep to SMTP.
    """
    async with asyncio.timeout(_STEP_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, local_addr=(local, 0))
    session = _Session(reader, writer)
    try:
        await session.deliver(parcel)
    finally:
        writer.close()


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def deliver(self, parcel: Parcel) -> None:
        await self._expect(220)
        offered = await self._command(f"EHLO {parcel.ehlo}", 250)
        if "STARTTLS" in offered.text.upper().split():
            await self._command("STARTTLS", 220)
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            async with asyncio.timeout(_STEP_SECONDS):
                await self._writer.start_tls(context)
            offered = await self._command(f"EHLO {parcel.ehlo}", 250)
        body = " BODY=8BITMIME" if "8BITMIME" in offered.text.upper().split() else ""
        await self._command(f"MAIL FROM:<{parcel.sender}>{body}", 250)
        await self._command(f"RCPT TO:<{parcel.recipient}>", 250)
        await self._command("DATA", 354)
        self._writer.write(stuffed(parcel.content) + b".\r\n")
        await self._expect(250)
        with contextlib.suppress(RefusedError, OSError, TimeoutError):
            await self._command("QUIT", 221)

    async def _command(self, line: str, code: int) -> Reply:
        self._writer.write(line.encode() + b"\r\n")
        return await self._expect(code)

    async def _expect(self, code: int) -> Reply:
        async with asyncio.timeout(_STEP_SECONDS):
            reply = await self._reply()
        if reply.code != code and reply.code // 100 != code // 100:
            raise RefusedError(reply)
        return reply

    async def _reply(self) -> Reply:
        await self._writer.drain()
        texts: list[str] = []
        for _ in range(_REPLY_LINES):
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                raise ConnectionError("the connection ended instead of a reply") from error
            match = _STATUS.match(line.strip())
            if match is None:
                raise ConnectionError("the other side doesn't speak SMTP")
            texts.append(match[3].decode("utf-8", "replace"))
            if match[2] != b"-":
                return Reply(int(match[1]), " ".join(texts))
        raise ConnectionError("a reply doesn't end")


def stuffed(content: bytes) -> bytes:
    """As it goes over the wire: whole lines, dots doubled (RFC 5321 4.5.2)."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)

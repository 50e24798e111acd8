"""What is known after a request: the difference between not done and not answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from postroad.drain.client import Done, PeerClient
from postroad.drain.verdict import NotSent, Refused, Unanswered
from postroad.settings.units import Endpoint

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BODY = (b"x" * 300_000, b"y" * 300_000)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(status: int, data: Any) -> bytes:
    body = json.dumps(data).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@asynccontextmanager
async def peer(talk: Talk, patience: float = 10.0) -> AsyncIterator[PeerClient]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield PeerClient(Endpoint("127.0.0.1", server.sockets[0].getsockname()[1]), token="secret", timeout=patience)


def says(octets: bytes, *, after_body: bool = True) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after_body:
            writer.write(CONTINUE)
            await reader.readexactly(600_000)
        writer.write(octets)

    return talk


SPOOL = {"spool": "77"}


@pytest.mark.parametrize(
    ("talk", "outcome"),
    [
        (says(answer(200, SPOOL)), Done(SPOOL)),
        (says(answer(200, {})), Unanswered("answered 200 as no MTA does")),
        (says(answer(409, {"refused": "is draining itself"})), Refused("is draining itself")),
        (says(answer(503, {"refused": "busy"})), Refused("busy")),
        (says(answer(502, "bad gateway")), Unanswered("answered 502 as no MTA does")),
        (says(answer(200, ["spool"])), Unanswered("answered 200 as no MTA does")),
        (says(answer(401, {"error": "needs the token"}), after_body=False), Refused("needs the token")),
        (says(answer(413, {"error": "too large"}), after_body=False), Refused("too large")),
        (says(answer(503, {"refused": "busy"}), after_body=False), Refused("busy")),
        (says(b""), Unanswered("closed the connection without an answer")),
        (says(answer(200, SPOOL)[:-3]), Unanswered),
        (says(b"nonsense\r\n\r\n"), Unanswered),
        (says(b"", after_body=False), NotSent("closed the connection without an answer")),
    ],
)
async def test_what_an_answer_leaves_known(talk: Talk, outcome: Any) -> None:
    async with peer(talk) as client:
        found = await client.ask("POST", "/spool/receive", BODY)
        assert isinstance(found, outcome) if isinstance(outcome, type) else found == outcome


async def test_a_body_that_was_cut_off_was_not_sent() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONTINUE)
        await reader.readexactly(1000)
        writer.transport.abort()

    async with peer(talk) as client:
        assert isinstance(await client.ask("POST", "/spool/receive", (b"z" * (64 << 20), *BODY)), NotSent)


async def test_silence_before_the_body_is_not_sent_and_after_it_unanswered() -> None:
    async def before(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CONTINUE)
        await reader.read()

    async with peer(before, patience=0.2) as client:
        assert await client.ask("POST", "/x", BODY) == NotSent("did not answer in 0.2 s")
        assert await client.ask("GET", "/x") == Unanswered("did not answer in 0.2 s")
    async with peer(after, patience=0.5) as client:
        assert await client.ask("POST", "/x", BODY) == Unanswered("did not answer in 0.5 s")


async def test_nobody_there_is_not_sent() -> None:
    client = PeerClient(Endpoint("127.0.0.1", 1), token=None, timeout=5)
    assert isinstance(await client.ask("POST", "/x", BODY), NotSent)


async def test_the_token_is_shown() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(200, SPOOL))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        await PeerClient(Endpoint("127.0.0.1", number), token="secret", timeout=5).ask("GET", "/x")
    assert b"Authorization: Bearer secret\r\n" in heads[0]

"""The admin port: who is answered, and what of a body is read."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from postroad.admin.access import Access
from postroad.admin.http import AdminRequest, AdminRoute, AdminServer, Answer
from postroad.events.log import EventLog

DISCARDED = os.open(os.devnull, os.O_WRONLY)


async def _later(request: AdminRequest) -> Answer:
    await asyncio.sleep(0)
    return Answer.json({"octets": len(request.body), "x": request.parameters.get("x")})


ROUTES = {
    ("GET", "/open"): AdminRoute(lambda _: Answer.text("open"), open=True),
    ("GET", "/closed"): AdminRoute(lambda _: Answer.text("closed")),
    ("POST", "/body"): AdminRoute(_later, max_body=1000),
}


@asynccontextmanager
async def port(token: str | None = None, body_memory: int = 1000) -> AsyncIterator[int]:
    server = AdminServer(ROUTES, Access(token), EventLog(DISCARDED), body_memory=body_memory)
    listening = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


async def exchange(number: int, *pieces: bytes) -> tuple[int, str]:
    """What is answered to octets; each piece after the first is sent when 100 came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(pieces[0])
    for piece in pieces[1:]:
        assert (await reader.readline()).split()[1] == b"100"
        await reader.readline()
        writer.write(piece)
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body.decode()


def request(method: str, target: str, *fields: str) -> bytes:
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: x", *fields, "", "")).encode()


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (request("GET", "/open"), 200),
        (request("GET", "/closed"), 401),
        (request("GET", "/closed", "Authorization: Bearer wrong"), 401),
        (request("GET", "/closed", "Authorization: Bearer secret"), 200),
        (request("POST", "/closed", "Authorization: Bearer secret"), 405),
        (request("GET", "/nowhere"), 404),
        (request("POST", "/body", "Content-Length: 5"), 401),
        (request("POST", "/body", "Authorization: Bearer secret", "Content-Length: 1001"), 413),
        (request("GET", "/closed", "Authorization: Bearer secret", "Content-Length: 1"), 413),
        (request("POST", "/body", "Authorization: Bearer secret", "Transfer-Encoding: chunked"), 411),
        (request("POST", "/body", "Content-Length: -1"), 400),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_a_request_is_judged_before_its_body(octets: bytes, status: int) -> None:
    async with port(token="secret") as number:
        assert (await exchange(number, octets))[0] == status


async def test_a_body_in_pieces_is_answered_later() -> None:
    async with port() as number:
        head = request("POST", "/body?x=7", "Content-Length: 600", "Expect: 100-continue")
        status, body = await exchange(number, head, b"y" * 600)
        assert (status, json.loads(body)) == (200, {"octets": 600, "x": "7"})


async def test_bodies_share_a_bounded_memory_and_give_it_back() -> None:
    async with port(body_memory=1000) as number:
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(request("POST", "/body", "Content-Length: 600", "Expect: 100-continue"))
        assert (await reader.readline()).split()[1] == b"100"
        busy = request("POST", "/body", "Content-Length: 500")
        status, body = await exchange(number, busy)
        assert (status, json.loads(body)["refused"]) == (503, "busy with other requests, try again")
        writer.write(b"y" * 600)
        assert b"200" in (await reader.read()).splitlines()[1]
        writer.close()
        head = request("POST", "/body", "Content-Length: 1000")
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(head)
        writer.transport.abort()
        async with asyncio.timeout(10):
            while (await exchange(number, head + b"y" * 1000))[0] != 200:
                pass

"""The world's HTTP."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.http import BadRequestError, Request, Response, body_length, parse_request, serve


@pytest.mark.parametrize(
    ("head", "request_"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Request("GET", "/", {}, "x")),
        (b"POST /reset HTTP/1.0\r\n\r\n", Request("POST", "/reset", {})),
        (
            b"GET /m?batch=a-1&s=&x=%20 HTTP/1.1\r\n\r\n",
            Request("GET", "/m", {"batch": "a-1", "s": "", "x": " "}),
        ),
    ],
)
def test_a_request_is_read(head: bytes, request_: Request) -> None:
    assert parse_request(head) == request_


@pytest.mark.parametrize("head", [b"\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/2\r\n\r\n", b"G\xff / HTTP/1.1\r\n\r\n"])
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_request(head)


@pytest.mark.parametrize(
    ("head", "length"),
    [(b"GET / HTTP/1.1\r\n\r\n", 0), (b"POST / HTTP/1.1\r\ncontent-length: 12\r\n\r\n", 12)],
)
def test_the_body_s_length_is_read(head: bytes, length: int) -> None:
    assert body_length(head) == length


@pytest.mark.parametrize("header", ["Content-Length: x", "Content-Length: -1", "Content-Length: 65537"])
def test_a_body_of_no_length_or_too_long_is_refused(header: str) -> None:
    with pytest.raises(BadRequestError):
        body_length(f"POST / HTTP/1.1\r\n{header}\r\n\r\n".encode())


@given(st.binary(max_size=200))
def test_no_octets_break_it(octets: bytes) -> None:
    try:
        parse_request(octets)
        body_length(octets)
    except BadRequestError:
        pass


async def lines() -> AsyncIterator[bytes]:
    yield b'{"n": 1}\n'
    yield b'{"n": 2}\n'


async def respond(request: Request) -> Response:
    match request.path:
        case "/lines":
            return Response(lines=lines())
        case "/bad":
            raise BadRequestError("not so")
        case "/none":
            return Response(HTTPStatus.NOT_FOUND, {"error": "none"})
        case "/text":
            return Response(text="a 1\n", headers={"X-A": "b"})
        case "/echo":
            return Response(content={"body": request.body.decode()})
    return Response(content={"path": request.path})


async def test_json_lines_and_errors_are_answered_on_a_socket_of_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = await serve(f"unix:{path}", respond)
    assert path.stat().st_mode & 0o777 == 0o600
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with server, httpx.AsyncClient(transport=transport, base_url="http://world") as client:
        assert (await client.get("/x")).json() == {"path": "/x"}
        assert (await client.get("/lines")).text == '{"n": 1}\n{"n": 2}\n'
        assert (await client.get("/bad")).status_code == 400
        plain = await client.get("/text")
        assert (plain.text, plain.headers["x-a"], plain.headers["content-type"]) == (
            "a 1\n",
            "b",
            "text/plain; charset=utf-8",
        )
        assert (await client.post("/echo", content="hello")).json() == {"body": "hello"}
        assert (await client.post("/echo", content="x" * 65_537)).status_code == 400
        assert (await client.get("/none")).status_code == 404


async def test_a_client_that_hangs_up_does_no_harm() -> None:
    server = await serve("127.0.0.1:0", respond)
    host, port = server.sockets[0].getsockname()
    async with server:
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /x")
        writer.close()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://{host}:{port}/x")).status_code == 200

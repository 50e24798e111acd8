"""The admin port over TLS, by real handshakes: who shows which certificate is whom."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import SERVER, Authority, write_certificate
from cryptography import x509
from postroad.admin.access import Access
from postroad.admin.http import AdminRequest, AdminRoute, AdminServer, Answer
from postroad.events.log import EventLog
from postroad.tls.certificate import Certificate
from postroad.wire.proxy_protocol import SIGNATURE

LARGE = "x" * 300_000


async def _order(request: AdminRequest) -> Answer:
    await asyncio.sleep(0)
    return Answer.json({"order": {"id": "1f"}, "octets": len(request.body)})


ROUTES = {
    ("GET", "/health"): AdminRoute(lambda _: Answer.text("ok"), open=True),
    ("GET", "/ready"): AdminRoute(lambda _: Answer.text("not ready", 503), open=True),
    ("GET", "/metrics"): AdminRoute(lambda _: Answer.text(LARGE), open=True),
    ("GET", "/queue"): AdminRoute(lambda _: Answer.json({})),
    ("POST", "/orders"): AdminRoute(_order, max_body=1 << 20, audited=True),
}


class Port:
    """An admin port with TLS that knows the clients of one authority."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = Authority(folder, "ours"), Authority(folder, "theirs")
        file = self.ours.host("mta")
        self.certificate = Certificate(file, file, self.ours.file)
        self.log = folder / "log"
        self.number = 0

    @asynccontextmanager
    async def open(self, token: str | None = None) -> AsyncIterator["Port"]:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._events = EventLog(descriptor)
        server = AdminServer(ROUTES, Access(token, self.certificate), self._events)
        listening = await asyncio.get_running_loop().create_server(server.protocol, "127.0.0.1", 0)
        async with listening:
            self.number = listening.sockets[0].getsockname()[1]
            yield self
        os.close(descriptor)

    def client(self, certificate: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ours.file)
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    async def ask(
        self, request: str, client: ssl.SSLContext | None, *fields: str, body: bytes = b"", opening: bytes = b""
    ) -> tuple[int, str]:
        """Status and body of the answer to a request.

        Raises:
            OSError: the connection ended without one.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            writer.write(opening)
            if client is not None:
                await writer.start_tls(client, server_hostname="localhost")
            head = (f"{request} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields, "", "")
            writer.write("\r\n".join(head).encode() + body)
            said = await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()
        if not said:
            raise ConnectionAbortedError
        head_of_answer, _, body_of_answer = said.partition(b"\r\n\r\n")
        return int(head_of_answer.split()[1]), body_of_answer.decode()

    def events(self) -> list[dict[str, Any]]:
        self._events.flush()
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def port(tmp_path: Path) -> Port:
    return Port(tmp_path)


async def test_health_readiness_and_metrics_need_no_certificate(port: Port) -> None:
    async with port.open(token="secret"):
        assert await port.ask("GET /health", port.client()) == (200, "ok\n")
        assert (await port.ask("GET /ready", port.client()))[0] == 503
        assert await port.ask("GET /metrics", port.client()) == (200, LARGE + "\n")


async def test_all_else_needs_a_certificate_or_the_token(port: Port) -> None:
    ann = port.client(port.ours.issue("ann"))
    async with port.open():
        assert (await port.ask("GET /queue", ann))[0] == 200
        assert await port.ask("GET /queue", port.client()) == (
            403, '{"error": "needs a client certificate of an authority in [admin] tls_client_ca"}\n',
        )  # fmt: skip
    async with port.open(token="secret"):
        assert (await port.ask("GET /queue", ann))[0] == 200
        assert (await port.ask("GET /queue", port.client()))[0] == 401
        assert (await port.ask("GET /queue", port.client(), "Authorization: Bearer wrong"))[0] == 401
        assert (await port.ask("GET /queue", port.client(), "Authorization: Bearer secret"))[0] == 200


def self_signed(folder: Path) -> Path:
    chain, key = write_certificate(folder, "ann")
    file = folder / "alone.pem"
    file.write_bytes(chain.read_bytes() + key.read_bytes())
    return file


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda port, _: port.theirs.issue("ann"), "unable to get local issuer certificate"),
        (lambda port, _: port.ours.issue("ann", days=-1), "certificate has expired"),
        (lambda port, _: port.ours.issue("ann", usage=SERVER), "unsuitable certificate purpose"),
        (lambda _, folder: self_signed(folder), "self-signed certificate"),
    ],
    ids=["another authority's", "expired", "a server's", "self-signed"],
)
async def test_a_certificate_that_is_not_good_ends_the_handshake(
    port: Port, tmp_path: Path, made: Callable[[Port, Path], Path], reason: str, version: ssl.TLSVersion
) -> None:
    client = port.client(made(port, tmp_path))
    client.maximum_version = version
    async with port.open(token="secret"):
        for request in ("GET /health", "GET /queue", "POST /orders"):
            with pytest.raises(OSError):
                await port.ask(request, client, "Authorization: Bearer secret")
        assert await port.ask("GET /health", port.client()) == (200, "ok\n")
    failed = port.events()
    assert [(event["event"], event["reason"]) for event in failed] == [
        ("admin_tls_failed", f"certificate verify failed: {reason}")
    ] * 3


async def test_the_log_says_who_ordered_what(port: Port) -> None:
    ann = port.client(port.ours.issue("ann", others=[x509.RFC822Name("ann@x.test")]))
    order = {"action": "suspend", "domain": "y.test", "reason": "r"}
    async with port.open(token="secret"):
        assert (await port.ask("POST /orders", ann, body=json.dumps(order).encode()))[0] == 200
        assert (await port.ask("POST /orders?x=1", port.client(), "Authorization: Bearer secret"))[0] == 200
        assert (await port.ask("POST /orders", ann, body=b"\xff" * 5000))[0] == 200
        assert (await port.ask("GET /queue", ann))[0] == 200
        assert (await port.ask("POST /orders", port.client(), body=b"{}"))[0] == 401
    first, second, third, refused = port.events()
    assert (first["event"], first["who"], first["asked"]) == (
        "admin_request", "certificate CN=ann (email:ann@x.test)", "POST /orders",
    )  # fmt: skip
    assert (first["body"], first["status"], first["answer"]["order"]) == (order, 200, {"id": "1f"})
    assert (second["who"], second["parameters"], second["body"]) == ("token", {"x": "1"}, None)
    assert third["body"] == "5000 octets"
    assert (refused["event"], refused["asked"], refused["peer"]) == ("admin_refused", "POST /orders", "127.0.0.1")


async def test_a_probe_of_a_load_balancer_may_begin_with_a_header(port: Port) -> None:
    async with port.open():
        local = SIGNATURE + b"\x20\x00\x00\x00"
        assert await port.ask("GET /health", port.client(), opening=local) == (200, "ok\n")


async def test_a_request_in_the_clear_is_told_to_speak_tls(port: Port) -> None:
    async with port.open(token="secret"):
        status, body = await port.ask("GET /health", None)
        assert (status, "speaks TLS: write https://" in body) == (400, True)
        with pytest.raises(OSError):
            await port.ask("\x01\x02\x03", None)


async def test_certificates_and_authorities_of_now_count_for_the_next_connection(port: Port) -> None:
    async with port.open():
        ann, bob = port.client(port.ours.issue("ann")), port.client(port.theirs.issue("bob"))
        assert (await port.ask("GET /queue", ann))[0] == 200
        with pytest.raises(OSError):
            await port.ask("GET /queue", bob)
        port.ours.file.with_name("both.pem").write_bytes(port.ours.file.read_bytes() + port.theirs.file.read_bytes())
        port.certificate.client_ca = port.ours.file.with_name("both.pem")
        port.certificate.reload()
        assert (await port.ask("GET /queue", bob))[0] == 200
        port.certificate.client_ca = port.theirs.file
        port.certificate.reload()
        with pytest.raises(OSError):
            await port.ask("GET /queue", ann)
        assert (await port.ask("GET /queue", bob))[0] == 200


async def test_a_session_is_not_resumed(port: Port) -> None:
    ann = port.client(port.ours.issue("ann"))
    async with port.open():
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number, ssl=ann, server_hostname="localhost")
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).endswith(b"ok\n")
        assert not writer.get_extra_info("ssl_object").session.has_ticket
        writer.close()

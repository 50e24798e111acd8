"""Real processes for tests: an MTA, a proxy, sinks that take mail and servers that behave badly."""

import contextlib
import http.client
import json
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

BIN = Path(sys.executable).parent


def wait_until(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "condition") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Daemon:
    """A process with a TOML file and an admin port; its log lines are parsed."""

    program = ""
    tls: ssl.SSLContext | None = None
    """What the admin port is asked with, if it speaks TLS."""

    def __init__(self, folder: Path, config: str, admin_port: int, *, command: list[str] | None = None) -> None:
        self.folder = folder
        self.admin_port = admin_port
        self.config = folder / f"{self.program}.toml"
        self.config.write_text(config)
        self.log = folder / f"{self.program}.log"
        self._command = command or [str(BIN / self.program)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._begin()
        wait_until(self._started, what=f"{self.program} is ready")

    def start_unready(self) -> None:
        """Start a daemon that won't be ready."""
        self._begin()
        wait_until(self._answers, what=f"{self.program} answers")

    def _begin(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "run", "--config", str(self.config)], stdout=log, stderr=log, cwd=self.folder
            )

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError):
            return bool(self.get("/health"))
        return False

    def _started(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return self.ready()

    def ready(self) -> bool:
        try:
            return self.get("/ready").startswith("ready")
        except OSError:
            return False

    def get(self, path: str, *, method: str = "GET", body: Any = None) -> str:
        data = None if body is None else json.dumps(body).encode()
        scheme = "http" if self.tls is None else "https"
        request = urllib.request.Request(f"{scheme}://127.0.0.1:{self.admin_port}{path}", method=method, data=data)
        with urllib.request.urlopen(request, timeout=5, context=self.tls) as response:
            return response.read().decode()

    def metric(self, name: str) -> float:
        lines = (line.rpartition(" ") for line in self.get("/metrics").splitlines())
        return next((float(value) for key, _, value in lines if key == name), 0.0)

    def events(self, *names: str) -> list[dict[str, Any]]:
        """What it logged until now. Lines are written at the end of the turn that a reply is sent in: an answer to a
        later question comes after them."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.get("/health")
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for line in lines if (event := json.loads(line))["event"] in names]

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 20.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.terminate()
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class MtaDaemon(Daemon):
    program = "postroad-mta"

    def __init__(
        self,
        folder: Path,
        *,
        smart_host: int | None = None,
        mx_port: int | None = None,
        spool: str = "./spool",
        min_free: str = "0B",
        relay_from: str = "127.0.0.0/8",
        tenant: str = "",
        proxy_from: str = "",
        listener: str = "",
        more: str = "",
        **options: Any,
    ) -> None:
        self.port = free_port()
        admin = free_port()
        routing = f'smart_host = "127.0.0.1:{smart_host}"' if smart_host is not None else ""
        if mx_port is not None:
            routing = f"port = {mx_port}"
        entry = f'{{ network = "{relay_from}", tenant = "{tenant}" }}' if tenant else f'"{relay_from}"'
        balancers = f'proxy_from = ["{proxy_from}"]' if proxy_from else ""
        config = f"""
[listeners.submission]
address = "127.0.0.1:{self.port}"
relay_from = [{entry}]
{balancers}
{listener}
hostname = "mta.test"
[spool]
path = "{spool}"
min_free = "{min_free}"
[routing]
{routing}
[admin]
address = "127.0.0.1:{admin}"
{more}
"""
        super().__init__(folder, config, admin, **options)

    def queue(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/queue")))

    def flush(self) -> None:
        self.get("/flush", method="POST")

    @property
    def admin(self) -> str:
        return f"127.0.0.1:{self.admin_port}"

    def drain(self, *targets: str) -> None:
        self.get("/drain", method="POST", body={"targets": targets})

    def drain_state(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/drain")))

    def safe(self) -> bool:
        return bool(self.drain_state()["safe"])


class ProxyDaemon(Daemon):
    program = "postroad-proxy"

    def __init__(self, folder: Path, *, destinations: str = "127.0.0.0/8:1024-65535", more: str = "") -> None:
        self.port = free_port()
        admin = free_port()
        config = f"""
[listener]
address = "127.0.0.1:{self.port}"
[access]
clients = ["127.0.0.0/8"]
sources = ["127.0.0.0/8"]
destinations = ["{destinations}"]
[admin]
address = "127.0.0.1:{admin}"
{more}
"""
        super().__init__(folder, config, admin)


class Sink:
    """aiosmtpd as a mail host that takes everything and counts what isn't a notification by its X-Id header."""

    def __init__(self, port: int | None = None, **options: Any) -> None:
        self.ids: Counter[str] = Counter()
        self.envelopes: list[Envelope] = []
        self.peers: list[tuple[str, int]] = []
        self.names: list[str] = []
        self.port = port or free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, enable_SMTPUTF8=True, **options)

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        _, found, rest = content.partition(b"X-Id: ") if envelope.mail_from else (b"", b"", b"")
        self.envelopes.append(envelope)
        self.peers.append(session.peer)
        self.names.append(str(session.host_name))
        if found:
            self.ids[rest.partition(b"\r\n")[0].decode()] += 1
        return "250 2.0.0 taken"

    def start(self) -> "Sink":
        self._controller.start()
        return self

    def stop(self) -> None:
        self._controller.stop(no_assert=True)


class ChoosySink(Sink):
    """A sink that defers recipients whose address begins with "later" until it is `open`; each delivery is counted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.open = False
        self.delivered: Counter[tuple[str, str]] = Counter()
        """By X-Id and recipient."""
        self.deferred: Counter[str] = Counter()

    async def handle_RCPT(
        self, server: object, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("later") and not self.open:
            self.deferred[address] += 1
            return "450 4.2.0 later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:
        reply = await super().handle_DATA(server, session, envelope)
        content = envelope.content
        assert isinstance(content, bytes)
        id = content.partition(b"X-Id: ")[2].partition(b"\r\n")[0].decode()
        self.delivered.update((id, recipient) for recipient in envelope.rcpt_tos)
        return reply


class Relay:
    """A TCP relay that passes everything on, but for a number of POST requests whose answers get lost.

    Args:
        late: the request itself arrives only when its client has given up.
    """

    def __init__(self, target: int, *, lose: int, late: bool = False) -> None:
        self.lost = 0
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                request, unlucky = b"", False
                with socket.create_connection(("127.0.0.1", target)) as there:
                    while piece := self.request.recv(1 << 16):
                        request += piece
                        head, _, body = request.partition(b"\r\n\r\n")
                        unlucky = relay.lost < lose and head.startswith(b"POST /spool/receive")
                        if unlucky and late:
                            relay._keep_for_later(self.request, there, request)
                            return
                        there.sendall(piece)
                        if relay._is_whole(head, body):
                            break
                        if not body and b"Expect:" in head:
                            self.request.sendall(there.recv(1 << 16))
                    while piece := there.recv(1 << 16):
                        if unlucky:
                            relay.lost += 1
                            return
                        self.request.sendall(piece)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _keep_for_later(self, client: socket.socket, there: socket.socket, request: bytes) -> None:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._is_whole(*request.split(b"\r\n\r\n", 1)):
            request += client.recv(1 << 16)
        client.close()
        self.lost += 1
        there.sendall(request)
        while there.recv(1 << 16):
            pass

    @staticmethod
    def _is_whole(head: bytes, body: bytes) -> bool:
        _, found, rest = head.partition(b"Content-Length: ")
        return not found or len(body) >= int(rest.partition(b"\r\n")[0])

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class ScriptedHost:
    """A mail host that answers each verb as told: a reply, several in turn, or None to cut the connection.

    The verb "." is the end of DATA, "banner" the greeting. All that it was sent is kept in `commands`.
    """

    def __init__(self, **answers: str | list[str | None] | None) -> None:
        self._answers: dict[str, Any] = {key.replace("dot", ".").lower(): value for key, value in answers.items()}
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        host = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                host.connections += 1
                host._converse(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _answer(self, verb: str, usual: str) -> str | None:
        answer = self._answers.get(verb.lower(), usual)
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer

    def _converse(self, rfile: Any, wfile: Any) -> None:
        def say(verb: str, usual: str) -> str:
            answer = self._answer(verb, usual)
            if answer is None:
                raise ConnectionAbortedError
            wfile.write(answer.encode() + b"\r\n")
            return answer

        try:
            say("banner", "220 scripted")
            while line := rfile.readline():
                verb = line.split()[0].decode().lower() if line.split() else ""
                self.commands.append(line.strip().decode())
                usual = {"ehlo": "250-scripted\r\n250 PIPELINING", "data": "354 go", "quit": "221 bye"}
                if say(verb, usual.get(verb, "250 ok")).startswith("354"):
                    content = b""
                    while (part := rfile.readline()) not in (b".\r\n", b""):
                        content += part
                    if part:
                        if content:
                            self.messages.append(content)
                        say(".", "250 taken")
                if verb == "quit":
                    return
        except (ConnectionError, ValueError, OSError):
            return

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

"""STARTTLS is used where it is offered, whatever the certificate says."""

import contextlib
import smtplib
import socketserver
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from certificates import write_certificate
from daemons import MtaDaemon, ProxyDaemon, Sink, wait_until


class BrokenTls:
    """A mail host whose TLS breaks right behind the handshake; without TLS it takes mail."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.handshakes = 0
        self.messages: list[bytes] = []
        host = self
        replies = {b"EHLO": b"250-x\r\n250 STARTTLS\r\n", b"STARTTLS": b"220 go\r\n", b"DATA": b"354 go\r\n"}

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 hi\r\n")
                while line := self.rfile.readline():
                    verb = line.split()[0]
                    self.wfile.write(replies.get(verb, b"250 ok\r\n"))
                    if verb == b"STARTTLS":
                        with (
                            contextlib.suppress(OSError),
                            context.wrap_socket(self.connection, server_side=True) as tls,
                        ):
                            host.handshakes += 1
                            tls.recv(1)
                        return
                    if verb == b"DATA":
                        content = b""
                        while not content.endswith(b"\r\n.\r\n"):
                            content += self.rfile.readline()
                        host.messages.append(content)
                        self.wfile.write(b"250 taken\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


LINES = ("x" * 70 + "\n") * 1500


def self_signed(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*write_certificate(folder, "someone-else.test", days=-1))
    return context


def test_mail_is_encrypted_also_through_the_proxy(
    tmp_path: Path,
    new_mta: Callable[..., MtaDaemon],
    new_proxy: Callable[..., ProxyDaemon],
    stopped_after: Callable[[Sink], Sink],
) -> None:
    sink = stopped_after(Sink(tls_context=self_signed(tmp_path), require_starttls=True).start())
    proxy = new_proxy()
    mta = new_mta(smart_host=sink.port, more=f'[egress]\nproxies = ["127.0.0.1:{proxy.port}"]\n')
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(3):
            client.sendmail("a@x.test", ["b@y.test"], f"X-Id: {number}\n\n{LINES}")
    wait_until(lambda: sum(sink.ids.values()) == 3)
    wait_until(lambda: len(mta.events("delivery")) == 3)
    assert all(event["tls"] for event in mta.events("delivery"))


def test_tls_that_breaks_behind_the_handshake_falls_back_to_plain_and_is_remembered(
    tmp_path: Path, new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[BrokenTls], BrokenTls]
) -> None:
    host = stopped_after(BrokenTls(self_signed(tmp_path)))
    mta = new_mta(
        smart_host=host.port, more="[egress]\nmax_messages_per_connection = 1\nmax_connections_per_site = 1\n"
    )
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(3):
            client.sendmail("a@x.test", ["b@y.test"], f"X-Id: {number}\n\nx\n")
    wait_until(lambda: len(mta.events("delivery")) == 3)
    assert len(host.messages) == 3
    assert host.handshakes == 1
    assert not mta.events("deferral")

"""SIGTERM: 421 to the idle, the message on its way is taken, a delivery between dot and reply is waited for."""

import smtplib
import socket
import threading
from collections.abc import Callable

import pytest
from daemons import MtaDaemon, ProxyDaemon, ScriptedHost, Sink, wait_until


def test_an_idle_session_gets_421_and_a_message_on_its_way_250(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    mta = new_mta(smart_host=new_host(banner="421 not now").port)
    idle = smtplib.SMTP("127.0.0.1", mta.port)
    busy = smtplib.SMTP("127.0.0.1", mta.port)
    busy.helo("c")
    busy.mail("a@x.test")
    busy.rcpt("b@y.test")
    busy.putcmd("data")
    assert busy.getreply()[0] == 354
    busy.send(b"first half\r\n")
    mta.terminate()
    assert idle.getreply()[0] == 421
    wait_until(lambda: not mta.ready())
    busy.send(b"second half\r\n.\r\n")
    assert busy.getreply()[0] == 250
    assert busy.getreply()[0] == 421
    assert mta.wait() == 0
    mta.start()
    wait_until(lambda: mta.queue()["messages"] == 1)


def test_a_delivery_whose_message_is_sent_is_waited_for(new_mta: Callable[..., MtaDaemon]) -> None:
    """Cut between the dot and its reply, it would be delivered twice."""
    server = socket.create_server(("127.0.0.1", 0))
    sent, go = threading.Event(), threading.Event()
    replies = [b"250 mx", b"250 ok", b"250 ok", b"354 go"]

    def host() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 slow\r\n")
            for reply in replies:
                lines.readline()
                connection.sendall(reply + b"\r\n")
            while lines.readline() != b".\r\n":
                pass
            sent.set()
            go.wait(20)
            connection.sendall(b"250 taken\r\n")
            lines.readline()

    threading.Thread(target=host, daemon=True).start()
    mta = new_mta(smart_host=server.getsockname()[1], more='[shutdown]\ngrace = "100ms"\n')
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        client.sendmail("a@x.test", ["b@y.test"], "x\n")
    assert sent.wait(20)
    mta.terminate()
    with pytest.raises(Exception, match="timed out"):
        mta.wait(1.0)
    go.set()
    assert mta.wait() == 0
    mta.start()
    assert mta.queue()["messages"] == 0


def test_the_proxy_keeps_sessions_to_their_end_and_takes_no_new_ones(new_proxy: Callable[..., ProxyDaemon]) -> None:
    sink = Sink().start()
    proxy = new_proxy()

    def through() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        request = b"\x05\x01\x00\x05\x01\x00\x01" + socket.inet_aton("127.0.0.1") + sink.port.to_bytes(2, "big")
        connection.sendall(request)
        return connection

    session = through()
    lines = session.makefile("rb")
    assert lines.read(12)[:4] == b"\x05\x00\x05\x00"
    assert lines.readline().startswith(b"220")
    proxy.terminate()
    wait_until(lambda: not proxy.ready())
    with pytest.raises(OSError):
        through()
    session.sendall(b"EHLO c\r\n")
    assert lines.readline().startswith(b"250")
    session.close()
    lines.close()
    assert proxy.wait() == 0
    sink.stop()

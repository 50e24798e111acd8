"""Clients that people have: Postfix and its load generator, swaks, smtplib, aiosmtpd."""

import smtplib
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy
from certificates import write_certificate
from daemons import MtaDaemon, ScriptedHost, Sink, free_port, wait_until
from postfix import RelayingPostfix
from postroad.tenants.passwords import Cost, PasswordHash

TENANT = '[tenants.acme]\ndomains = ["acme.test"]\n[auth]\nfile = "identities"\n'
MESSAGE = "From: a@acme.test\nX-Id: 1\n\n.dot\n..\nbody\n"


@pytest.fixture
def secured(tmp_path: Path) -> dict[str, str]:
    """Options of an MTA with STARTTLS and AUTH of `sender` with `right`."""
    write_certificate(tmp_path)
    (tmp_path / "identities").write_text(f"sender acme {PasswordHash.of('right', Cost(6, 8, 1))}\n")
    listener = 'tls = "starttls"\ntls_certificate = "chain.pem"\ntls_key = "key.pem"\nauth = "offered"\n'
    return {"listener": listener, "more": TENANT}


def swaks(mta: MtaDaemon, *options: str) -> tuple[int, str]:
    """Its exit status, and the dialogue."""
    command = ["swaks", "--server", f"127.0.0.1:{mta.port}", "--helo", "client.test", "--from", "a@acme.test"]
    command += ["--to", "b@y.test", "--header", "From: a@acme.test", "--body", "hello", "--timeout", "15", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.root
def test_postfix_hands_over_under_tls_with_all_that_it_knows(
    new_mta: Callable[..., MtaDaemon],
    new_host: Callable[..., ScriptedHost],
    stopped_after: Callable[[Any], Any],
    secured: dict[str, str],
) -> None:
    host = new_host()
    mta = new_mta(smart_host=host.port, **secured)
    postfix = stopped_after(RelayingPostfix(mta.port, smtp_tls_security_level="encrypt"))
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        for number in range(20):
            client.sendmail(
                "a@acme.test",
                ["b@y.test", "c@y.test"],
                f"From: a@acme.test\nX-Id: {number}\n\n.dot\n..\n{'x' * 900}\n" + "line\n" * 200,
                mail_options=["RET=HDRS", "ENVID=e1"],
                rcpt_options=["NOTIFY=FAILURE"],
            )
    wait_until(lambda: len(host.messages) == 20)
    # Postfix writes "sent" once it has read the 250; by then the message may have come through already.
    wait_until(lambda: postfix.log.count("status=sent") == 40)
    assert all(b"\r\n..dot\r\n...\r\n" in message for message in host.messages)
    assert all(b" with ESMTPS id " in message for message in host.messages)
    received = mta.events("reception")
    assert len(received) == 20
    assert all(event["tls"] for event in received)


@pytest.mark.root
def test_postfix_is_content_without_extensions_too(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost], stopped_after: Callable[[Any], Any]
) -> None:
    host = new_host()
    mta = new_mta(smart_host=host.port)
    keywords = "pipelining, chunking, dsn, size, 8bitmime"
    postfix = stopped_after(RelayingPostfix(mta.port, smtp_discard_ehlo_keywords=keywords))
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        client.sendmail("a@acme.test", ["b@y.test"], MESSAGE)
    wait_until(lambda: host.messages)
    assert b"\r\n..dot\r\n...\r\nbody\r\n" in host.messages[0]


def test_smtp_source_sends_from_many_connections(
    new_mta: Callable[..., MtaDaemon], new_host: Callable[..., ScriptedHost]
) -> None:
    host = new_host()
    mta = new_mta(smart_host=host.port)
    load = ["smtp-source", "-s", "20", "-m", "300", "-l", "5000", "-f", "a@x.test", "-t", "b@y.test"]
    subprocess.run([*load, f"inet:127.0.0.1:{mta.port}"], check=True, timeout=60)
    wait_until(lambda: len(host.messages) == 300)


@pytest.mark.parametrize(
    "options",
    [
        ("--pipeline",),
        ("--tls",),
        ("--tls", "--auth", "PLAIN", "--auth-user", "sender", "--auth-password", "right"),
        ("--tls", "--pipeline", "--auth", "LOGIN", "--auth-user", "sender", "--auth-password", "right"),
    ],
    ids=["pipelined", "tls", "plain", "login"],
)
def test_swaks_sends(
    new_mta: Callable[..., MtaDaemon], sink: Sink, secured: dict[str, str], options: tuple[str, ...]
) -> None:
    mta = new_mta(smart_host=sink.port, **secured)
    status, said = swaks(mta, *options)
    assert status == 0, said
    wait_until(lambda: sink.envelopes)
    (reception,) = mta.events("reception")
    assert reception["identity"] == ("sender" if "--auth" in options else "")


def test_aiosmtpd_relays_through_it(
    new_mta: Callable[..., MtaDaemon], sink: Sink, stopped_after: Callable[[Any], Any]
) -> None:
    mta = new_mta(smart_host=sink.port)
    port = free_port()
    relay = stopped_after(Controller(Proxy("127.0.0.1", mta.port), hostname="127.0.0.1", port=port))
    relay.start()
    with smtplib.SMTP("127.0.0.1", port) as client:
        for number in range(3):
            client.sendmail("a@x.test", ["b@y.test"], f"From: a@x.test\nX-Id: {number}\n\n.dot\n")
    wait_until(lambda: sum(sink.ids.values()) == 3)
    assert sink.ids == dict.fromkeys("012", 1)


def test_swaks_is_told_of_a_wrong_password(new_mta: Callable[..., MtaDaemon], secured: dict[str, str]) -> None:
    mta = new_mta(smart_host=1, **secured)
    status, said = swaks(mta, "--tls", "--auth", "PLAIN", "--auth-user", "sender", "--auth-password", "wrong")
    assert status == 28
    assert "535 5.7.8 authentication credentials invalid" in said


@pytest.mark.parametrize("version", ["1", "2"])
def test_swaks_sends_through_a_proxy_header(new_mta: Callable[..., MtaDaemon], sink: Sink, version: str) -> None:
    mta = new_mta(smart_host=sink.port, relay_from="10.20.255.0/24", proxy_from="127.0.0.0/8")
    header = ["--proxy-version", version, "--proxy-family", "TCP4" if version == "1" else "AF_INET"]
    header += ["--proxy-source", "10.20.255.10", "--proxy-source-port", "40000"]
    header += ["--proxy-dest", "10.20.16.5", "--proxy-dest-port", "587"]
    if version == "2":
        header += ["--proxy-protocol", "STREAM"]
    status, said = swaks(mta, *header)
    assert status == 0, said
    wait_until(lambda: sink.envelopes)
    assert mta.events("reception")[0]["peer"] == "10.20.255.10"


SMUGGLED = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\nFrom: evil\r\n\r\n.\r\n"


ENDS = (
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n\n.\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\x00.\r\n",
)


def replies(mta: MtaDaemon, content: bytes, *, chunked: bool) -> list[bytes]:
    with socket.create_connection(("127.0.0.1", mta.port), timeout=15) as connection:
        connection.sendall(b"EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n")
        if chunked:
            connection.sendall(b"BDAT %d LAST\r\n%sQUIT\r\n" % (len(content), content))
        else:
            connection.sendall(b"DATA\r\n" + content + b"QUIT\r\n")
        said = connection.makefile("rb").read()
    return [line[:3] for line in said.splitlines() if line[3:4] != b"-"]


def test_nothing_is_smuggled_behind_what_is_no_end(new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    mta = new_mta(smart_host=sink.port)
    for end in ENDS:
        content = b"From: a@x.test\r\n\r\nfirst" + end + SMUGGLED
        # Banner, EHLO, MAIL, RCPT, DATA, one message, QUIT: what is in the message is no command.
        told = b"250" if b"\x00" in end else b"550"
        opening = [b"220", b"250", b"250", b"250"]
        assert replies(mta, content, chunked=False) == [*opening, b"354", told, b"221"], end
        assert replies(mta, content, chunked=True) == [*opening, told, b"221"], end
    wait_until(lambda: len(sink.envelopes) == 2)
    assert {str(envelope.mail_from) for envelope in sink.envelopes} == {"a@x.test"}

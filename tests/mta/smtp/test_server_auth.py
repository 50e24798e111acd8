"""STARTTLS (RFC 3207) and AUTH (RFC 4954)."""

import base64

import pytest
from postroad.smtp.events import AuthAttempt, CommandRefused, MessageReceived, SessionEnded, TlsBegins
from postroad.smtp.limits import Offers, ServerLimits
from postroad.smtp.sasl import Credentials
from postroad.smtp.server import ServerProtocol
from postroad.tenants.tenant import Tenant

ACME = Tenant.of("acme", ["acme.test"])
ALL = Offers(starttls=True, auth=True)
PLAIN = base64.b64encode(b"\0a\0p")


def server(*, secured: bool = True, offers: Offers = ALL, may_relay: bool = False) -> ServerProtocol:
    protocol = ServerProtocol(
        hostname="mx.test", may_relay=may_relay, limits=ServerLimits(), offers=offers, secured=secured
    )
    protocol.data_to_send()
    return protocol


def say(protocol: ServerProtocol, *lines: bytes) -> list[str]:
    for line in lines:
        protocol.receive(line + b"\r\n")
    return [line[:3].decode() for line in protocol.data_to_send().splitlines() if line[3:4] != b"-"]


def test_auth_is_offered_under_tls_only() -> None:
    protocol = server(secured=False)
    protocol.receive(b"EHLO c\r\n")
    said = protocol.data_to_send()
    assert b"250-STARTTLS\r\n" in said
    assert b"AUTH" not in said
    assert say(protocol, b"AUTH PLAIN " + PLAIN) == ["538"]
    assert protocol.receive(b"STARTTLS\r\n") == [TlsBegins()]
    assert say(protocol) == ["220"]
    assert protocol.tls_established() == []
    assert say(protocol, b"AUTH PLAIN " + PLAIN) == ["503"]
    protocol.receive(b"EHLO c\r\n")
    said = protocol.data_to_send()
    assert b"250-AUTH PLAIN LOGIN\r\n" in said
    assert b"STARTTLS" not in said
    assert say(protocol, b"STARTTLS") == ["503"]


def test_nothing_said_before_tls_counts_behind_it() -> None:
    protocol = server(secured=False, may_relay=True)
    say(protocol, b"EHLO c", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@y.test>", b"STARTTLS")
    protocol.tls_established()
    assert say(protocol, b"DATA", b"MAIL FROM:<a@x.test>") == ["503", "503"]
    assert say(protocol, b"EHLO c", b"MAIL FROM:<a@x.test>", b"DATA") == ["250", "250", "503"]


def test_octets_behind_starttls_end_the_session() -> None:
    protocol = server(secured=False)
    events = protocol.receive(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@x.test>\r\n")
    assert events == [SessionEnded()]
    assert say(protocol) == ["250", "421"]


def test_starttls_that_is_not_offered_is_refused() -> None:
    assert say(server(secured=False, offers=Offers()), b"EHLO c", b"STARTTLS", b"AUTH PLAIN x") == ["250", "502", "502"]
    assert say(server(secured=False), b"STARTTLS now") == ["501"]


def test_who_proved_its_identity_sends_its_tenants_mail() -> None:
    protocol = server()
    assert say(protocol, b"EHLO c", b"MAIL FROM:<x@acme.test>", b"RCPT TO:<b@y.test>", b"RSET")[2] == "530"
    (event,) = protocol.receive(b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert event == AuthAttempt(Credentials("a", "p"))
    # What is pipelined behind waits for the answer.
    assert protocol.receive(b"MAIL FROM:<x@other.test>\r\nMAIL FROM:<x@acme.test>\r\n") == []
    assert say(protocol) == []
    events = protocol.authenticated("a", ACME)
    assert [type(event) for event in events] == [CommandRefused]
    assert say(protocol, b"RCPT TO:<b@y.test>", b"DATA") == ["235", "550", "250", "250", "354"]
    (event,) = protocol.receive(b"x\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert (protocol.identity, protocol.tenant) == ("a", ACME)
    assert protocol.with_protocol(smtputf8=False) == "ESMTPSA"
    protocol.accept("1")
    assert say(protocol, b"AUTH PLAIN " + PLAIN) == ["250", "503"]


def test_login_takes_its_steps() -> None:
    protocol = server()
    assert say(protocol, b"EHLO c", b"AUTH LOGIN") == ["250", "334"]
    assert say(protocol, base64.b64encode(b"a")) == ["334"]
    (event,) = protocol.receive(base64.b64encode(b"p") + b"\r\n")
    assert event == AuthAttempt(Credentials("a", "p"))


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ((b"AUTH",), ["504"]),
        ((b"AUTH DIGEST-MD5",), ["504"]),
        ((b"AUTH PLAIN", b"*"), ["334", "501"]),
        ((b"AUTH PLAIN", b"%%%"), ["334", "501"]),
        ((b"AUTH PLAIN =",), ["501"]),
        ((b"AUTH LOGIN", b"*", b"NOOP"), ["334", "501", "250"]),
        ((b"MAIL FROM:<a@x.test>", b"AUTH PLAIN"), ["250", "503"]),
    ],
)
def test_exchanges_that_fail_leave_the_session(lines: tuple[bytes, ...], codes: list[str]) -> None:
    protocol = server()
    assert say(protocol, b"EHLO c", *lines)[1:] == codes


def test_lines_of_an_exchange_may_be_long_but_not_endless() -> None:
    protocol = server()
    say(protocol, b"EHLO c", b"AUTH PLAIN")
    assert say(protocol, b"A" * 12288) == ["501"]
    say(protocol, b"AUTH PLAIN")
    assert protocol.receive(b"A" * 13000) == [SessionEnded()]
    assert say(protocol) == ["500"]


def test_wrong_passwords_end_the_session() -> None:
    protocol = server()
    say(protocol, b"EHLO c")
    for _ in range(3):
        protocol.receive(b"AUTH PLAIN " + PLAIN + b"\r\n")
        events = protocol.auth_refused(b"535 5.7.8 authentication credentials invalid")
    assert SessionEnded() in events
    assert say(protocol) == ["535", "535", "535", "421"]


def test_a_listener_may_want_everybody_to_say_who_it_is() -> None:
    offers = Offers(starttls=True, auth=True, auth_required=True)
    protocol = server(secured=False, offers=offers, may_relay=True)
    assert say(protocol, b"EHLO c", b"MAIL FROM:<a@acme.test>") == ["250", "530"]


def test_a_session_that_ended_while_a_password_was_checked_stays_ended() -> None:
    protocol = server()
    say(protocol, b"EHLO c")
    protocol.receive(b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert protocol.drain() == [SessionEnded()]
    assert protocol.authenticated("a", ACME) == []
    assert protocol.auth_refused(b"535 5.7.8 no") == []
    assert say(protocol) == ["421"]
    assert protocol.identity == ""


@pytest.mark.parametrize(
    ("greeting", "secured", "smtputf8", "name"),
    [
        (b"HELO c", False, False, "SMTP"),
        (b"EHLO c", False, False, "ESMTP"),
        (b"EHLO c", True, False, "ESMTPS"),
        (b"EHLO c", True, True, "UTF8SMTPS"),
    ],
)
def test_received_says_how_a_message_came(greeting: bytes, secured: bool, smtputf8: bool, name: str) -> None:
    protocol = server(secured=secured)
    say(protocol, greeting)
    assert protocol.with_protocol(smtputf8=smtputf8) == name

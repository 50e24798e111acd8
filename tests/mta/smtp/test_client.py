import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.client import ClientProtocol, Transaction
from postroad.smtp.events import ClientEvent, SessionClosed, SessionReady, SessionRefused, TlsWanted, TransactionDone
from postroad.smtp.replies import ReplyError, ReplyParser

PIPELINING = b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"


def written(client: ClientProtocol) -> bytes:
    return b"".join(client.data_to_send())


def ready(ehlo: bytes = PIPELINING, *, starttls: bool = False) -> ClientProtocol:
    client = ClientProtocol(ehlo="me.test", starttls=starttls)
    assert client.receive(b"220 hello\r\n") == []
    assert written(client) == b"EHLO me.test\r\n"
    assert client.receive(ehlo) == [SessionReady()]
    return client


def mail(*recipients: bytes, size: int = 10, smtputf8: bool = False) -> Transaction:
    return Transaction(b"a@x.test", recipients or (b"b@y.test",), (b"body\r\n",), size, smtputf8=smtputf8)


def codes(events: list[ClientEvent]) -> list[int]:
    (done,) = (event for event in events if isinstance(event, TransactionDone))
    return [reply.code for reply in done.replies]


def test_the_envelope_goes_in_one_flight_and_the_content_after_354() -> None:
    client = ready()
    client.send(mail(b"b@y.test", b"c@y.test"))
    flight = b"MAIL FROM:<a@x.test> SIZE=10\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
    assert written(client) == flight
    assert client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n") == []
    assert written(client) == b"body\r\n.\r\n"
    assert codes(client.receive(b"250 2.0.0 taken\r\n")) == [250, 550]


def test_rset_comes_only_from_the_second_message_on() -> None:
    client = ready()
    client.send(mail())
    assert not written(client).startswith(b"RSET")
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    written(client)
    client.send(mail())
    assert written(client).startswith(b"RSET\r\nMAIL")
    assert codes(client.receive(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")) == [250]


def test_without_pipelining_one_command_waits_for_the_other() -> None:
    client = ready(b"250 mx\r\n")
    client.send(mail(b"b@y.test", b"c@y.test"))
    steps = [
        (b"MAIL FROM:<a@x.test>\r\n", b"250 ok\r\n"),
        (b"RCPT TO:<b@y.test>\r\n", b"450 later\r\n"),
        (b"RCPT TO:<c@y.test>\r\n", b"250 ok\r\n"),
        (b"DATA\r\n", b"354 go\r\n"),
        (b"body\r\n.\r\n", b"250 ok\r\n"),
    ]
    events: list[ClientEvent] = []
    for command, reply in steps:
        assert written(client) == command
        events = client.receive(reply)
    assert codes(events) == [450, 250]


@pytest.mark.parametrize("ehlo", [PIPELINING, b"250 mx\r\n"])
def test_when_every_recipient_is_refused_no_content_is_sent(ehlo: bytes) -> None:
    client = ready(ehlo)
    client.send(mail())
    events = client.receive(b"250 ok\r\n") + client.receive(b"550 no\r\n")
    if ehlo == PIPELINING:
        events += client.receive(b"503 no recipients\r\n")
    assert codes(events) == [550]
    assert b"body" not in written(client)


def test_a_354_though_nobody_is_to_get_it_is_ended_by_the_dot_alone() -> None:
    client = ready()
    client.send(mail())
    written(client)
    client.receive(b"250 ok\r\n550 no\r\n354 go\r\n")
    assert written(client) == b".\r\n"
    assert codes(client.receive(b"250 empty\r\n")) == [550]
    assert client.ready


def test_a_refused_sender_is_the_answer_for_all() -> None:
    client = ready()
    client.send(mail(b"b@y.test", b"c@y.test"))
    assert codes(client.receive(b"550 5.7.1 not you\r\n503 x\r\n503 x\r\n503 x\r\n")) == [550, 550]
    assert client.ready


def test_421_in_the_envelope_defers_also_who_was_accepted() -> None:
    client = ready()
    client.send(mail(b"b@y.test", b"c@y.test"))
    events = client.receive(b"250 ok\r\n250 ok\r\n421 4.3.2 closing\r\n")
    assert codes(events) == [421, 421]
    assert isinstance(events[-1], SessionClosed)
    assert not client.ready


def test_a_connection_lost_at_the_dot_defers_who_was_accepted_and_keeps_refusals() -> None:
    client = ready()
    client.send(mail(b"b@y.test", b"c@y.test"))
    client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n")
    assert client.stage == "dot"
    assert client.timeout == 600.0
    assert codes(client.connection_lost()) == [421, 550]


def test_what_the_peer_cannot_take_is_refused_here() -> None:
    client = ready()
    events = client.send(mail(size=2000))
    assert codes(events) == [552]
    assert codes(client.send(mail(smtputf8=True))) == [550]
    assert written(client) == b""


def test_helo_is_said_to_who_knows_no_ehlo() -> None:
    client = ClientProtocol(ehlo="me.test", starttls=True)
    client.receive(b"220 hello\r\n500 what\r\n")
    assert written(client).endswith(b"HELO me.test\r\n")
    assert client.receive(b"250 hi\r\n") == [SessionReady()]


@pytest.mark.parametrize("banner", [b"554 go away\r\n", b"421 busy\r\n", b"SSH-2.0-x\r\n"])
def test_a_host_that_wants_no_mail_refuses_the_session(banner: bytes) -> None:
    client = ClientProtocol(ehlo="me.test", starttls=False)
    (event,) = client.receive(banner)
    assert isinstance(event, SessionRefused)


def test_starttls_begins_again_with_ehlo() -> None:
    client = ClientProtocol(ehlo="me.test", starttls=True)
    client.receive(b"220 hello\r\n250-mx\r\n250-STARTTLS\r\n250 PIPELINING\r\n")
    assert written(client).endswith(b"STARTTLS\r\n")
    assert client.receive(b"220 go\r\n") == [TlsWanted()]
    client.tls_established()
    assert written(client) == b"EHLO me.test\r\n"
    assert client.receive(b"250-mx\r\n250 STARTTLS\r\n") == [SessionReady()]
    assert client.extensions == {"STARTTLS": ""}


def test_octets_injected_behind_starttls_end_the_session() -> None:
    client = ClientProtocol(ehlo="me.test", starttls=True)
    client.receive(b"220 hello\r\n250-mx\r\n250 STARTTLS\r\n")
    (event,) = client.receive(b"220 go\r\n250 inje")
    assert isinstance(event, SessionRefused)


def test_starttls_refused_means_plain() -> None:
    client = ClientProtocol(ehlo="me.test", starttls=True)
    assert client.receive(b"220 hello\r\n250-mx\r\n250 STARTTLS\r\n454 not now\r\n") == [SessionReady()]


def test_an_unasked_421_closes_an_idle_session() -> None:
    (event,) = ready().receive(b"421 4.4.2 idle\r\n")
    assert isinstance(event, SessionClosed)


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_every_transaction_ends_in_exactly_one_answer_whatever_the_peer_says(chunks: list[bytes]) -> None:
    client = ready()
    events = client.send(mail(b"b@y.test", b"c@y.test"))
    for chunk in chunks:
        events += client.receive(chunk)
    events += client.connection_lost()
    assert len(codes(events)) == 2


@given(st.binary(max_size=200), st.lists(st.integers(0, 20), max_size=20))
def test_reply_parsing_raises_nothing_but_its_own_error(data: bytes, sizes: list[int]) -> None:
    parser = ReplyParser()
    try:
        for size in [*sizes, len(data)]:
            parser.feed(data[:size])
            data = data[size:]
            while parser.next_reply() is not None:
                pass
    except ReplyError:
        pass


def test_replies_of_several_lines_are_one() -> None:
    parser = ReplyParser()
    parser.feed(b"550-5.1.1 no\r\n550 5.1.1 such user\r\n250\r\n")
    reply = parser.next_reply()
    assert reply is not None
    assert (reply.code, reply.enhanced, reply.text) == (550, "5.1.1", "5.1.1 no 5.1.1 such user")
    empty = parser.next_reply()
    assert empty is not None
    assert (empty.code, empty.enhanced) == (250, "2.0.0")

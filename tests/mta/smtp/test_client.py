import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.client import FOLLOWER_TIMEOUT, ClientProtocol
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.smtp.events import (
    ClientEvent,
    NextWanted,
    SessionClosed,
    SessionReady,
    SessionRefused,
    TlsWanted,
    TransactionDone,
    TransactionNotBegun,
)
from postroad.smtp.replies import ReplyError, ReplyParser
from postroad.smtp.transaction import Transaction

PIPELINING = b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"


def written(client: ClientProtocol) -> bytes:
    return b"".join(client.data_to_send())


def ready(ehlo: bytes = PIPELINING, *, overlap: bool = True, chunking: bool = False) -> ClientProtocol:
    client = ClientProtocol(ehlo="me.test", starttls=False, overlap=overlap, chunk_limit=1000)
    client.chunking = chunking
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
    assert client.receive(b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n") == [NextWanted()]
    assert written(client) == b"body\r\n.\r\n"
    assert codes(client.receive(b"250 2.0.0 taken\r\n")) == [250, 550]


def test_rset_comes_only_where_a_transaction_was_left_open() -> None:
    client = ready()
    client.send(mail())
    assert written(client).startswith(b"MAIL")
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n451 not now\r\n")
    written(client)
    client.send(mail())
    assert written(client).startswith(b"MAIL")  # the dot ended the one before, whatever became of it
    client.receive(b"250 ok\r\n550 nobody\r\n503 no recipients\r\n")
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


def overlapping() -> tuple[ClientProtocol, Transaction, Transaction]:
    """A client whose second message's envelope is in flight behind the first one's content."""
    client, first, second = ready(), mail(), mail(b"c@y.test")
    client.send(first)
    written(client)
    assert client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n") == [NextWanted()]
    assert client.ready
    client.send(second)
    return client, first, second


def test_the_next_envelope_goes_in_the_flight_of_the_content() -> None:
    client, first, second = overlapping()
    assert written(client) == b"body\r\n.\r\nMAIL FROM:<a@x.test> SIZE=10\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
    assert not client.ready
    done, wanted = client.receive(b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert isinstance(done, TransactionDone)
    assert done.transaction is first
    assert wanted == NextWanted()
    assert client.overlap_works
    (done,) = client.receive(b"250 taken\r\n")
    assert isinstance(done, TransactionDone)
    assert done.transaction is second


def test_a_message_that_is_refused_does_not_touch_the_one_behind_it() -> None:
    client, _, _ = overlapping()
    assert codes(client.receive(b"554 spam\r\n")) == [554]
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert codes(client.receive(b"250 ok\r\n")) == [250]


@pytest.mark.parametrize("octets", [b"421 4.3.2 closing\r\n", b"", b"250 taken\r\n", b"250 taken\r\n421 enough\r\n"])
def test_the_message_behind_is_not_begun_when_the_connection_ends_before_its_first_reply(octets: bytes) -> None:
    client, first, second = overlapping()
    done, not_begun, closed = client.receive(octets) + client.connection_lost()
    assert isinstance(done, TransactionDone)
    assert done.transaction is first
    assert done.replies[0].code == (250 if octets.startswith(b"250") else 421)
    assert not_begun == TransactionNotBegun(second)
    assert isinstance(closed, SessionClosed)
    assert client.overlap_broken is (b"421" not in octets)  # a 421 is what any host may say


# smtp-sink -W answers out of order: the dot's reply comes last, and each other one is taken for the one before it.
@pytest.mark.parametrize("replies", [b"503 5.5.1 no\r\n", b"354 go\r\n", b"250 ok\r\n354 go\r\n", b"250 ok\r\n" * 3])
def test_a_host_that_does_not_understand_what_came_behind_the_content_gets_it_no_more(replies: bytes) -> None:
    client, _, second = overlapping()
    client.receive(b"250 taken\r\n")
    assert client.timeout == FOLLOWER_TIMEOUT
    not_begun, _ = client.receive(replies)
    assert not_begun == TransactionNotBegun(second)
    assert client.overlap_broken


def test_without_overlap_the_next_message_waits_for_the_reply() -> None:
    client = ready(overlap=False)
    client.send(mail())
    assert client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n") == []
    assert not client.ready
    client.receive(b"250 ok\r\n")
    assert client.ready


def test_a_used_connection_that_is_gone_costs_the_next_message_nothing() -> None:
    client = ready()
    client.send(mail())
    client.receive(b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n")
    next_one = mail()
    client.send(next_one)
    assert TransactionNotBegun(next_one) in client.connection_lost()
    assert not client.overlap_broken


def test_what_this_side_gives_up_is_not_begun_unless_it_is_sent() -> None:
    client, first, second = overlapping()
    done, not_begun, _ = client.give_up("shutting down")
    assert isinstance(done, TransactionDone)
    assert (done.transaction, not_begun) == (first, TransactionNotBegun(second))
    assert not client.overlap_broken
    client = ready()
    client.send(first)
    assert client.give_up("others wait")[0] == TransactionNotBegun(first)


CHUNKING = PIPELINING[:-2].replace(b"250 8", b"250-8") + b"\r\n250 CHUNKING\r\n"


def test_bdat_takes_the_whole_message_in_one_flight_without_stuffing() -> None:
    client = ready(CHUNKING, chunking=True)
    message = Transaction(b"a@x.test", [b"b@y.test"], (b"..dot\r\n", b"a\r\n..b\r\n"), 18)
    assert client.send(message) == [NextWanted()]
    sent = b"RCPT TO:<b@y.test>\r\nBDAT 13 LAST\r\n.dot\r\na\r\n.b\r\n"
    assert written(client) == b"MAIL FROM:<a@x.test> SIZE=18\r\n" + sent
    assert client.body_sent
    assert codes(client.receive(b"250 ok\r\n250 ok\r\n250 taken\r\n")) == [250]
    assert client.ready


def test_the_message_behind_bdat_asks_first_and_forgets_what_bdat_left() -> None:
    client = ready(CHUNKING, chunking=True)
    client.send(mail())
    written(client)
    client.send(mail())
    assert written(client).startswith(b"RSET\r\nMAIL")
    assert codes(client.receive(b"250 ok\r\n550 no\r\n503 none\r\n")) == [550]
    assert not client.chunking  # the content was sent in vain


def test_a_host_that_announces_chunking_and_does_not_understand_bdat_delivered_nothing() -> None:
    client = ready(CHUNKING, chunking=True)
    message = mail()
    client.send(message)
    assert client.receive(b"250 ok\r\n250 ok\r\n500 what\r\n")[0] == TransactionNotBegun(message)
    assert client.chunking_broken


def test_a_connection_lost_at_bdat_is_a_deferral() -> None:
    client = ready(CHUNKING, chunking=True)
    client.send(mail())
    assert codes(client.connection_lost()) == [421]
    assert client.chunking_broken


@pytest.mark.parametrize("ehlo", [PIPELINING, CHUNKING.replace(b"PIPELINING", b"X")])
def test_bdat_needs_chunking_and_pipelining(ehlo: bytes) -> None:
    client = ready(ehlo, chunking=True)
    client.send(mail())
    assert b"BDAT" not in written(client)


def test_what_the_sender_asked_is_passed_on_where_it_is_understood() -> None:
    asked = DsnRequest("HDRS", b"id+2B1", (Notify.SUCCESS | Notify.FAILURE, 0), (b"rfc822;b+2Bx@y.test", b""))
    message = Transaction(b"a@x.test", [b"b@y.test", b"c@y.test"], (b"x\r\n",), 3, dsn=asked)
    client = ready(b"250-mx\r\n250-PIPELINING\r\n250 DSN\r\n")
    client.send(message)
    assert written(client).splitlines() == [
        b"MAIL FROM:<a@x.test> RET=HDRS ENVID=id+2B1",
        b"RCPT TO:<b@y.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bx@y.test",
        b"RCPT TO:<c@y.test>",
        b"DATA",
    ]
    client = ready()
    client.send(message)
    assert b"NOTIFY" not in written(client)


def test_part_of_a_reply_is_no_progress() -> None:
    client = ready()
    client.send(mail())
    before = client.replies
    client.receive(b"250-a")
    client.receive(b"\r\n250-b\r\n")
    assert client.replies == before
    client.receive(b"250 c\r\n")
    assert client.replies == before + 1


@given(st.lists(st.one_of(st.binary(max_size=50), st.sampled_from(
    [b"250 ok\r\n", b"354 go\r\n", b"550 no\r\n", b"450 no\r\n", b"421 bye\r\n", b"503 bad\r\n"])), max_size=24),
    st.booleans(), st.booleans())  # fmt: skip
def test_every_transaction_has_exactly_one_end_whatever_the_peer_says(
    chunks: list[bytes], chunking: bool, overlap: bool
) -> None:
    client = ready(CHUNKING, chunking=chunking, overlap=overlap)
    sent = [mail(b"b@y.test", b"c@y.test")]
    events = client.send(sent[0])
    for chunk in chunks:
        events += client.receive(chunk)
        if client.ready and len(sent) < 4:
            sent.append(mail(b"d@y.test"))
            events += client.send(sent[-1])
    events += client.connection_lost()
    ends = [event for event in events if isinstance(event, TransactionDone | TransactionNotBegun)]
    assert sorted(map(id, sent)) == sorted(id(end.transaction) for end in ends)
    for end in ends:
        assert isinstance(end, TransactionNotBegun) or len(end.replies) == len(end.transaction.recipients)


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

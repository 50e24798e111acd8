"""The receiving side of SMTP: octets in, events and octets out."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad_region.world.smtp import Event, Hello, Mail, Message, Offer, Quit, Receiver, Recipient, StartTls

OFFER = Offer(max_size=1000, chunking=True, starttls=True)


class Session:
    """A receiver whose events are answered as told: a reply by event type, else acceptance."""

    def __init__(self, offer: Offer = OFFER, **refusals: str) -> None:
        self.receiver = Receiver("mx.test", "ESMTP", offer)
        self.receiver.greet()
        assert self.receiver.data_to_send() == b"220 mx.test ESMTP\r\n"
        self.events: list[Event] = []
        self._refusals = refusals

    def say(self, *octets: bytes) -> list[str]:
        said = b""
        for each in octets:
            self.receiver.receive(each)
            while (event := self.receiver.next_event()) is not None:
                self.events.append(event)
                if isinstance(event, Message):
                    self.receiver.answer(self._refusals.get("Message", "250 2.0.0 OK"))
                elif not isinstance(event, StartTls | Quit):
                    self.receiver.answer(self._refusals.get(type(event).__name__))
            said += self.receiver.data_to_send()
        return said.decode().removesuffix("\r\n").split("\r\n") if said else []

    def messages(self) -> list[Message]:
        return [event for event in self.events if isinstance(event, Message)]


HELLO = b"EHLO a.test\r\n"
ENVELOPE = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n"


def test_ehlo_tells_what_is_offered() -> None:
    assert Session().say(HELLO) == [
        "250-mx.test",
        "250-SIZE 1000",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-STARTTLS",
        "250-PIPELINING",
        "250-CHUNKING",
        "250 ENHANCEDSTATUSCODES",
    ]
    assert Session(Offer(10, pipelining=False, smtputf8=False)).say(HELLO) == [
        "250-mx.test",
        "250-SIZE 10",
        "250-8BITMIME",
        "250 ENHANCEDSTATUSCODES",
    ]


def test_helo_is_greeted_in_one_line() -> None:
    assert Session().say(b"HELO a.test\r\n") == ["250 mx.test"]


def test_a_message_is_taken() -> None:
    session = Session()
    assert session.say(HELLO)[-1].startswith("250 ")
    assert session.say(b"MAIL FROM:<a@a.test> SIZE=100\r\n") == ["250 2.1.0 OK"]
    assert session.say(b"RCPT TO:<b@b.test>\r\n") == ["250 2.1.5 OK"]
    assert session.say(b"DATA\r\n") == ["354 Go ahead"]
    assert session.say(b"Subject: x\r\n\r\n..\r\n.\r\n") == ["250 2.0.0 OK"]
    assert session.events == [
        Hello("a.test"),
        Mail("a@a.test"),
        Recipient("a@a.test", "b@b.test", 0),
        Message("a@a.test", ("b@b.test",), b"Subject: x\r\n\r\n.\r\n"),
    ]
    assert session.say(b"QUIT\r\n") == ["221 2.0.0 Bye"]
    assert session.receiver.closed


def test_a_whole_session_may_come_in_one_piece() -> None:
    session = Session()
    message = ENVELOPE + b"DATA\r\nx\r\n.\r\n"
    replies = session.say(HELLO + message + message + b"QUIT\r\nNOOP\r\n")
    assert [reply[:3] for reply in replies[8:]] == ["250", "250", "354", "250"] * 2 + ["221"]
    assert len(session.messages()) == 2


def test_refused_recipients_are_left_out() -> None:
    session = Session()
    session.receiver.receive(HELLO + b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<c@b.test>\r\nDATA\r\n")
    answers: dict[str, str | None] = {"a@b.test": "550 5.1.1 No", "c@b.test": None}
    while (event := session.receiver.next_event()) is not None:
        session.receiver.answer(answers[event.address] if isinstance(event, Recipient) else None)
    assert session.receiver.data_to_send().endswith(b"550 5.1.1 No\r\n250 2.1.5 OK\r\n354 Go ahead\r\n")
    session.say(b"x\r\n.\r\n")
    assert session.messages()[0].recipients == ("c@b.test",)


def test_pipelined_data_without_recipients_is_refused_and_its_dot_too() -> None:
    session = Session(Recipient="550 5.1.1 No")
    assert session.say(HELLO, ENVELOPE + b"DATA\r\n.\r\n")[-2:] == [
        "503 5.5.1 No valid recipients",
        "502 5.5.1 Command not recognized",
    ]


@pytest.mark.parametrize(
    ("commands", "reply"),
    [
        (b"MAIL FROM:<a@a.test>\r\n", "503 5.5.1 Send EHLO first"),
        (HELLO + b"RCPT TO:<b@b.test>\r\n", "503 5.5.1 Send MAIL first"),
        (HELLO + ENVELOPE + b"MAIL FROM:<a@a.test>\r\n", "503 5.5.1 There is a sender already"),
        (HELLO + b"MAIL FROM:<a@a.test> SIZE=1001\r\n", "552 5.3.4 Message too big"),
        (HELLO + b"MAIL FROM:<a@a.test> SIZE=x\r\n", "501 5.5.4 SIZE is no number"),
        (HELLO + b"MAIL FROM:<a@a.test> RET=HDRS\r\n", "555 5.5.4 Parameter RET not implemented"),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<>\r\n", "501 5.1.3 A recipient is missing"),
        (HELLO + b"MAIL FROM:<>\r\nRCPT TO:<b@b.test> NOTIFY=NEVER\r\n", "555 5.5.4 Parameter NOTIFY not implemented"),
        (b"EHLO\r\n", "501 5.5.4 Syntax: EHLO hostname"),
        (b"TURN\r\n", "502 5.5.1 Command not recognized"),
        (b"\r\n", "502 5.5.1 Command not recognized"),
        (HELLO + b"STARTTLS now\r\n", "501 5.5.4 STARTTLS takes no parameters"),
        (HELLO + ENVELOPE + b"BDAT x\r\n", "501 5.5.4 Syntax: BDAT size [LAST]"),
        (HELLO + ENVELOPE + b"BDAT 0\r\nDATA\r\n", "503 5.5.1 DATA after BDAT (RFC 3030 3)"),
        (HELLO + b"BDAT 2 LAST\r\nxx", "503 5.5.1 No valid recipients"),
        (b"NOOP\r\n", "250 2.0.0 OK"),
        (b"VRFY b\r\n", "252 2.1.5 Send some mail, and see"),
        (b"x" * 4097 + b"\r\n", "500 5.5.2 Line too long"),
        (b"x" * 5000, "421 5.5.2 Line too long"),
    ],
)
def test_a_command_is_answered(commands: bytes, reply: str) -> None:
    assert Session().say(commands)[-1] == reply


def test_reset_and_a_new_hello_forget_the_envelope() -> None:
    for again in (b"RSET\r\n", HELLO):
        session = Session()
        assert session.say(HELLO + ENVELOPE + again + b"DATA\r\n")[-1] == "503 5.5.1 No valid recipients"


def test_a_message_too_big_is_refused_once_it_is_over() -> None:
    session = Session()
    assert session.say(HELLO + ENVELOPE + b"DATA\r\n", b"x" * 2000, b"\r\n.\r\n")[-1] == "552 5.3.4 Message too big"
    assert not session.messages()


def test_chunks_are_taken() -> None:
    session = Session()
    replies = session.say(HELLO + ENVELOPE + b"BDAT 4\r\n.\r\nxBDAT 2 LAST\r\n\r\n")
    assert replies[-2:] == ["250 2.0.0 OK", "250 2.0.0 OK"]
    assert session.messages()[0].content == b".\r\nx\r\n"


def test_what_was_pipelined_behind_starttls_is_forgotten() -> None:
    session = Session()
    assert session.say(HELLO + b"STARTTLS\r\n")[-1] == "220 2.0.0 Ready to start TLS"
    assert session.events[-1] == StartTls()
    session.receiver.receive(b"MAIL FROM:<injected@a.test>\r\n")
    session.receiver.secured()
    assert session.say(b"MAIL FROM:<a@a.test>\r\n") == ["503 5.5.1 Send EHLO first"]
    assert "250-STARTTLS" not in session.say(HELLO)
    assert session.say(b"STARTTLS\r\n") == ["503 5.5.1 TLS is active already"]


def test_a_421_ends_it() -> None:
    session = Session(Mail="421 4.7.0 Too much")
    assert session.say(HELLO + ENVELOPE + b"NOOP\r\n")[-1] == "421 4.7.0 Too much"
    assert session.receiver.closed


def test_a_refused_hello_is_none() -> None:
    session = Session(Hello="450 4.7.0 Later")
    assert session.say(HELLO + ENVELOPE)[:2] == ["450 4.7.0 Later", "503 5.5.1 Send EHLO first"]


def test_a_reply_of_several_lines_has_its_codes_in_each() -> None:
    session = Session(Recipient="550 5.1.1 There is no\nsuch user\nhere")
    assert session.say(HELLO + ENVELOPE)[-3:] == ["550-5.1.1 There is no", "550-5.1.1 such user", "550 5.1.1 here"]


def test_who_talks_nonsense_is_sent_away() -> None:
    session = Session()
    replies = session.say(b"GET / HTTP/1.1\r\n" * 30)
    assert replies[-1] == "421 4.7.0 Too many errors"
    assert len(replies) == 20


SCRIPT = st.lists(
    st.sampled_from(
        [
            HELLO,
            ENVELOPE,
            b"DATA\r\n",
            b"x\r\n.\r\n",
            b"RSET\r\n",
            b"BDAT 3\r\nabc",
            b"BDAT 0 LAST\r\n",
            b"\r\n.\r\n",
            b"?",
        ]
    ),
    max_size=12,
).map(b"".join)


@given(SCRIPT, st.lists(st.integers(0, 300), max_size=10))
@settings(max_examples=200)
def test_pieces_make_no_difference(octets: bytes, cuts: list[int]) -> None:
    whole, pieces = Session(), Session()
    expected = whole.say(octets)
    places = sorted({min(each, len(octets)) for each in cuts} | {0, len(octets)})
    replies: list[Any] = []
    for start, end in itertools.pairwise(places):
        replies += pieces.say(octets[start:end])
    assert (replies, pieces.events) == (expected, whole.events)


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_no_octets_break_it(pieces: list[bytes]) -> None:
    session = Session()
    for reply in session.say(HELLO, *pieces, *(each + b"\r\n" for each in pieces)):
        assert reply[:3].isdigit()

"""BDAT (RFC 3030)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.content import dot_unstuff
from postroad.smtp.events import MessageReceived, ServerEvent, SessionEnded
from postroad.smtp.limits import ServerLimits
from postroad.smtp.parts import Budget
from postroad.smtp.server import ServerProtocol

OPENING = b"EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"


def server(budget: Budget | None = None, **limits: int) -> ServerProtocol:
    protocol = ServerProtocol(hostname="mx.test", may_relay=True, limits=ServerLimits(**limits), budget=budget)
    protocol.receive(OPENING)
    protocol.data_to_send()
    return protocol


def replies(protocol: ServerProtocol) -> list[str]:
    return [line.decode() for line in protocol.data_to_send().splitlines()]


def test_chunks_make_a_message_in_the_wire_form() -> None:
    protocol = server()
    assert protocol.receive(b"BDAT 11\r\nA: b\r\n\r\n.c\r") == []
    assert protocol.receive(b"BDAT 4\r\n\n.\r\n") == []
    (event,) = protocol.receive(b"BDAT 1 LAST\r\nd")
    assert isinstance(event, MessageReceived)
    assert event.content == b"A: b\r\n\r\n..c\r\n..\r\nd\r\n"
    assert replies(protocol) == ["250 2.0.0 11 octets received", "250 2.0.0 4 octets received"]
    protocol.accept("1")
    assert replies(protocol) == ["250 2.0.0 Ok: queued as 1"]


def test_an_empty_last_chunk_ends_a_message() -> None:
    (event,) = server().receive(b"BDAT 3\r\na\r\nBDAT 0 LAST\r\n")
    assert isinstance(event, MessageReceived)
    assert event.content == b"a\r\n"


@given(st.lists(st.integers(1, 25), max_size=40), st.sampled_from([b"x\r\n.\r\nQUIT\r\n", b"BDAT 1\r\n", b"..\r\n"]))
def test_what_is_in_a_chunk_is_never_a_command_however_the_stream_is_cut(sizes: list[int], content: bytes) -> None:
    stream = b"BDAT %d\r\n%sBDAT %d LAST\r\n%sQUIT\r\n" % (len(content), content, len(content), content)
    protocol = server()
    events: list[ServerEvent] = []
    for size in [*sizes, len(stream)]:
        events += protocol.receive(stream[:size])
        stream = stream[size:]
    (event,) = events
    assert isinstance(event, MessageReceived)
    assert dot_unstuff(event.content) == content * 2
    assert protocol.accept("1") == [SessionEnded()]


def test_a_chunk_that_is_refused_is_swallowed() -> None:
    protocol = ServerProtocol(hostname="mx.test", may_relay=False, limits=ServerLimits())
    protocol.receive(OPENING)
    protocol.data_to_send()
    protocol.receive(b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert [reply[:3] for reply in replies(protocol)] == ["503", "503", "250"]


def test_a_message_too_large_is_refused_once_and_the_chunks_behind_it_too() -> None:
    protocol = server(message_size=10)
    protocol.receive(b"BDAT 20\r\n" + b"x" * 20 + b"BDAT 2 LAST\r\nx\nNOOP\r\n")
    assert [reply[:3] for reply in replies(protocol)] == ["552", "503", "250"]


def test_a_chunk_that_is_far_too_large_ends_the_session() -> None:
    protocol = server(message_size=10_000)
    assert protocol.receive(b"BDAT 30000 LAST\r\nQUIT\r\n") == [SessionEnded()]
    assert [reply[:3] for reply in replies(protocol)] == ["552"]


def test_data_cannot_go_on_with_what_chunks_began() -> None:
    protocol = server()
    protocol.receive(b"BDAT 2\r\nx\nDATA\r\nRCPT TO:<c@y.test>\r\nRSET\r\nDATA\r\n")
    assert [reply[:3] for reply in replies(protocol)] == ["250", "503", "503", "250", "503"]


@pytest.mark.parametrize("argument", [b"", b"x", b"12 FIRST"])
def test_a_chunk_without_a_size_ends_the_session(argument: bytes) -> None:
    protocol = server()
    assert protocol.receive(b"BDAT " + argument + b"\r\nQUIT\r\n") == [SessionEnded()]
    assert [reply[:3] for reply in replies(protocol)] == ["501"]


@pytest.mark.parametrize("content", [b"a\nb", b"a\rb\r\n", b"a\r", b"\n.\n"])
def test_bare_line_endings_are_refused(content: bytes) -> None:
    protocol = server()
    protocol.receive(b"BDAT %d LAST\r\n%s" % (len(content), content))
    assert [reply[:3] for reply in replies(protocol)] == ["550"]


def test_unfinished_messages_share_what_they_may_hold() -> None:
    budget = Budget(2000)
    first, second = server(budget), server(budget)
    first.receive(b"BDAT 1000\r\n" + b"x" * 1000)
    second.receive(b"DATA\r\n" + b"x" * 800 + b"\r\n.\r\n")
    assert replies(second)[-1].startswith("452 4.3.1")
    second.receive(b"MAIL FROM:<a@x.test>\r\n" + b"RCPT TO:<b@y.test>\r\n" * 10)
    assert [reply[:3] for reply in replies(second)] == ["250"] * 4 + ["452"] * 7
    first.closed()
    second.receive(b"RSET\r\n")
    assert budget.used == 0
    second.receive(OPENING[8:] + b"DATA\r\n" + b"x" * 800 + b"\r\n.\r\n")
    second.accept("1")
    assert replies(second)[-1].startswith("250")
    assert budget.used == 0

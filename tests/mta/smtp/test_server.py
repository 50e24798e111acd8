import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.smtp.envelope import DsnRequest
from postroad.smtp.events import CommandRefused, MessageReceived, ServerEvent, SessionEnded
from postroad.smtp.limits import ServerLimits
from postroad.smtp.server import ServerProtocol
from postroad.tenants.tenant import Tenant


def server(*, may_relay: bool = True, tenant: Tenant | None = None, **limits: int) -> ServerProtocol:
    protocol = ServerProtocol(hostname="mx.test", may_relay=may_relay, limits=ServerLimits(**limits), tenant=tenant)
    assert protocol.data_to_send().startswith(b"220 mx.test ESMTP")
    return protocol


def codes(protocol: ServerProtocol) -> list[str]:
    return [line[:3].decode() for line in protocol.data_to_send().splitlines() if line[3:4] != b"-"]


def say(protocol: ServerProtocol, *lines: bytes) -> list[str]:
    for line in lines:
        protocol.receive(line + b"\r\n")
    return codes(protocol)


ENVELOPE = (b"EHLO c.test", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@y.test>", b"DATA")


def test_a_message_is_answered_only_after_accept() -> None:
    protocol = server()
    assert say(protocol, *ENVELOPE) == ["250", "250", "250", "354"]
    (event,) = protocol.receive(b"Subject: x\r\n\r\n..dot\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert event.content == b"Subject: x\r\n\r\n..dot\r\n"
    assert (event.envelope.sender, event.envelope.recipients) == (b"a@x.test", (b"b@y.test",))
    assert codes(protocol) == []
    assert protocol.receive(b"QUIT\r\n") == []
    assert codes(protocol) == []
    assert protocol.accept("1f") == [SessionEnded()]
    assert codes(protocol) == ["250", "221"]


def test_everything_pipelined_in_one_segment_works() -> None:
    protocol = server()
    message = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx\r\n.\r\n"
    (first,) = protocol.receive(b"EHLO c\r\n" + message * 2 + b"QUIT\r\n")
    assert isinstance(first, MessageReceived)
    (second,) = protocol.accept("1")
    assert isinstance(second, MessageReceived)
    assert protocol.accept("2") == [SessionEnded()]
    assert codes(protocol) == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]


@given(st.lists(st.integers(1, 20), max_size=60))
def test_the_cut_of_the_stream_changes_nothing(sizes: list[int]) -> None:
    stream = b"EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nline\r\n..\r\n.\r\nNOOP\r\nQUIT\r\n"
    protocol = server()
    events: list[ServerEvent] = []
    for size in [*sizes, len(stream)]:
        events += protocol.receive(stream[:size])
        stream = stream[size:]
    assert [type(event) for event in events] == [MessageReceived]
    assert protocol.accept("1") == [SessionEnded()]


VERBS = [*ENVELOPE, b"BDAT 3", b"BDAT 5 LAST", b"AUTH PLAIN", b"STARTTLS", b"RSET"]


@settings(max_examples=500)
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([line + b"\r\n" for line in VERBS])), max_size=12))
def test_garbage_raises_nothing_and_ends_in_replies(chunks: list[bytes]) -> None:
    protocol = server()
    for chunk in chunks:
        for event in protocol.receive(chunk):
            if isinstance(event, MessageReceived):
                protocol.refuse(b"451 4.3.0 no")
    for line in protocol.data_to_send().splitlines():
        assert line[:3].isdigit()


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        ((b"MAIL FROM:<a@x.test>",), "503"),
        ((b"EHLO c", b"RCPT TO:<a@x.test>"), "503"),
        ((b"EHLO c", b"DATA"), "503"),
        ((b"EHLO c", b"MAIL FROM:<a@x.test>", b"DATA"), "503"),
        ((b"EHLO c", b"MAIL FROM:<a@x.test>", b"MAIL FROM:<a@x.test>"), "503"),
        ((b"EHLO",), "501"),
        ((b"EHLO a b",), "501"),
        ((b"EHLO a)(\tb",), "501"),
        ((b"HELO c",), "250"),
        ((b"VRFY x",), "252"),
        ((b"NOOP x",), "250"),
        ((b"EXPN x",), "500"),
        ((b"EHLO c", b"MAIL FROM:<a@x.test> SIZE=99999999999"), "552"),
        ((b"EHLO c", b"MAIL FROM:<a@x.test>", b"RSET", b"RCPT TO:<b@y.test>"), "503"),
        ((b"EHLO c", b"MAIL FROM:<a@x.test>", b"EHLO c", b"RCPT TO:<b@y.test>"), "503"),
    ],
)
def test_commands_out_of_order_or_wrong(lines: tuple[bytes, ...], last: str) -> None:
    assert say(server(), *lines)[-1] == last


def test_extensions_are_announced() -> None:
    protocol = server(message_size=1000)
    protocol.receive(b"EHLO c\r\n")
    said = protocol.data_to_send()
    assert b"STARTTLS" not in said
    assert b"AUTH" not in said
    for keyword in (
        b"PIPELINING",
        b"SIZE 1000",
        b"8BITMIME",
        b"SMTPUTF8",
        b"CHUNKING",
        b"DSN",
        b"ENHANCEDSTATUSCODES",
    ):
        assert keyword in said


def test_a_stranger_may_not_relay() -> None:
    protocol = server(may_relay=False)
    assert say(protocol, b"EHLO c", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@y.test>")[-1] == "554"


def test_one_recipient_too_many_gets_452_and_the_others_stay() -> None:
    protocol = server(recipients=2)
    rcpts = [b"RCPT TO:<%d@y.test>" % number for number in range(3)]
    assert say(protocol, *ENVELOPE[:2], *rcpts, b"DATA") == ["250", "250", "250", "250", "452", "354"]
    (event,) = protocol.receive(b"x\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert len(event.envelope.recipients) == 2


def test_a_message_too_large_gets_552_and_the_session_goes_on() -> None:
    protocol = server(message_size=100)
    say(protocol, *ENVELOPE)
    (event,) = protocol.receive(b"x" * 200 + b"\r\n.\r\nNOOP\r\n")
    assert isinstance(event, CommandRefused)
    assert codes(protocol) == ["552", "250"]


def test_a_message_that_grows_and_grows_is_not_waited_for() -> None:
    protocol = server(message_size=10_000)
    say(protocol, *ENVELOPE)
    assert protocol.receive(b"x" * 20_000) == []
    assert protocol.receive(b"x" * 10_000) == [SessionEnded()]
    assert codes(protocol) == ["552"]
    assert protocol.receive(b"\r\n.\r\nNOOP\r\n") == []
    assert codes(protocol) == []


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"x\n.\nMAIL FROM:<evil@x.test>\r\n", b"\n.\r\n"])
def test_bare_line_endings_in_a_message_are_refused(content: bytes) -> None:
    protocol = server()
    say(protocol, *ENVELOPE)
    (event,) = protocol.receive(content + b".\r\n" if content.endswith(b"\r\n") else content)
    assert isinstance(event, CommandRefused)
    assert codes(protocol) == ["550"]


def test_too_many_errors_end_the_session() -> None:
    protocol = server(errors=3)
    assert say(protocol, b"X", b"Y", b"Z") == ["500", "500", "500", "421"]


def test_too_much_junk_ends_the_session() -> None:
    protocol = server(junk=2)
    assert say(protocol, b"NOOP", b"NOOP", b"NOOP")[-1] == "421"


def test_an_endless_line_ends_the_session() -> None:
    protocol = server()
    assert protocol.receive(b"x" * 5000) == [SessionEnded()]
    assert codes(protocol) == ["421"]


def test_an_http_client_is_sent_away_at_once() -> None:
    protocol = server()
    events = protocol.receive(b"POST / HTTP/1.1\r\nMAIL FROM:<a@x.test>\r\n")
    assert events == [SessionEnded()]
    assert codes(protocol) == ["421"]


def test_drain_ends_an_idle_session_with_421() -> None:
    protocol = server()
    say(protocol, b"EHLO c")
    assert protocol.drain() == [SessionEnded()]
    assert codes(protocol) == ["421"]


def test_drain_lets_a_message_on_its_way_finish() -> None:
    protocol = server()
    say(protocol, *ENVELOPE)
    assert protocol.drain() == []
    (event,) = protocol.receive(b"x\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert protocol.accept("1") == [SessionEnded()]
    assert codes(protocol) == ["250", "421"]


def test_greetings_over_and_over_end_the_session() -> None:
    protocol = server(junk=5)
    protocol.receive(b"EHLO c\r\n" * 1000)
    said = protocol.data_to_send()
    assert said.endswith(b"421 4.7.0 too many commands without mail\r\n")
    assert said.count(b"PIPELINING") == 6


def test_wishes_about_notifications_are_kept_by_recipient() -> None:
    protocol = server()
    say(protocol, b"EHLO c", b"MAIL FROM:<a@x.test> RET=HDRS ENVID=e1")
    say(protocol, b"RCPT TO:<b@y.test>", b"RCPT TO:<c@y.test> NOTIFY=NEVER ORCPT=rfc822;d@z.test", b"DATA")
    (event,) = protocol.receive(b"x\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert event.envelope.dsn == DsnRequest("HDRS", b"e1", (0, 1), (b"", b"rfc822;d@z.test"))
    assert protocol.accept("1") == []
    say(protocol, *ENVELOPE[1:])
    (event,) = protocol.receive(b"x\r\n.\r\n")
    assert isinstance(event, MessageReceived)
    assert event.envelope.dsn is None


def test_a_tenant_sends_from_its_own_domains_and_from_nobody() -> None:
    protocol = server(tenant=Tenant.of("acme", ["acme.test"]))
    assert say(protocol, b"EHLO c", b"MAIL FROM:<a@x.test>", b"MAIL FROM:<a@ACME.test>")[-2:] == ["550", "250"]
    assert say(protocol, b"RSET", b"MAIL FROM:<>")[-1] == "250"

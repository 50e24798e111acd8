from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.content import ContentReader, dot_stuff, dot_unstuff

LINES = st.lists(st.text("ab. ", max_size=6).map(str.encode), max_size=8).map(
    lambda lines: b"".join(line + b"\r\n" for line in lines)
)


@given(LINES)
def test_unstuffing_undoes_stuffing(content: bytes) -> None:
    assert dot_unstuff(dot_stuff(content)) == content


@given(LINES, st.binary(max_size=10), st.lists(st.integers(1, 7), max_size=30))
def test_a_message_ends_at_the_first_dot_alone_however_the_stream_is_cut(
    content: bytes, behind: bytes, sizes: list[int]
) -> None:
    wire = dot_stuff(content)
    stream = wire + b".\r\n" + behind
    reader = ContentReader(10_000)
    rest = None
    at = 0
    for size in [*sizes, len(stream)]:
        rest = reader.feed(stream[at : at + size])
        at += size
        if rest is not None:
            break
    assert rest is not None
    assert reader.take() == wire
    assert rest + stream[at:] == behind


def test_other_ends_of_line_around_the_dot_end_nothing() -> None:
    for trick in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"):
        reader = ContentReader(1000)
        assert reader.feed(b"text" + trick + b"MAIL FROM:<a@b>\r\n") is None


def test_a_message_beyond_the_limit_is_dropped_and_its_end_still_found() -> None:
    reader = ContentReader(10)
    assert reader.feed(b"x" * 100) is None
    assert reader.feed(b"\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"
    assert reader.take() is None


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    reader = ContentReader(10)
    assert reader.feed(b"12345678\r\n.\r\n") == b""
    assert reader.take() == b"12345678\r\n"

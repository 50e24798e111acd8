import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.lines import BareLineEndingError, LineBuffer, LineError, LineTooLongError, has_bare_line_ending


def chunks_of(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def lines_of(buffer: LineBuffer) -> list[bytes]:
    lines = []
    while (line := buffer.next_line()) is not None:
        lines.append(line)
    return lines


@given(
    st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))),
    st.lists(st.integers(0, 12), max_size=40),
)
def test_lines_come_out_whole_however_the_stream_is_cut(lines: list[bytes], sizes: list[int]) -> None:
    buffer = LineBuffer(100)
    got: list[bytes] = []
    for chunk in chunks_of(b"".join(line + b"\r\n" for line in lines), sizes):
        buffer.feed(chunk)
        got += lines_of(buffer)
    assert got == lines


@given(st.binary(max_size=300), st.lists(st.integers(0, 30), max_size=20))
def test_garbage_never_grows_the_buffer_beyond_its_limit(data: bytes, sizes: list[int]) -> None:
    buffer = LineBuffer(64)
    for chunk in chunks_of(data, sizes):
        buffer.feed(chunk)
        try:
            lines_of(buffer)
        except LineError:
            return
        assert len(buffer) <= 64 + 1


@pytest.mark.parametrize("data", [b"NOOP\nNOOP\r\n", b"NO\rOP\r\n", b"NOOP\n", b"\rNOOP\r\n"])
def test_a_bare_cr_or_lf_is_refused(data: bytes) -> None:
    buffer = LineBuffer(100)
    buffer.feed(data)
    with pytest.raises(BareLineEndingError):
        buffer.next_line()


def test_a_cr_at_the_end_of_a_chunk_may_still_become_crlf() -> None:
    buffer = LineBuffer(100)
    buffer.feed(b"NOOP\r")
    assert buffer.next_line() is None
    buffer.feed(b"\n")
    assert buffer.next_line() == b"NOOP"


def test_a_line_beyond_the_limit_is_refused_before_its_end_comes() -> None:
    buffer = LineBuffer(10)
    buffer.feed(b"x" * 11)
    with pytest.raises(LineTooLongError):
        buffer.next_line()


@given(st.lists(st.sampled_from(b"ab\r\n.\x0b\x85\xff"), max_size=30).map(bytes))
def test_bare_line_endings_are_found_as_by_the_definition(content: bytes) -> None:
    bare = any(
        (byte == 0x0A and content[at - 1 : at] != b"\r") or (byte == 0x0D and content[at + 1 : at + 2] != b"\n")
        for at, byte in enumerate(content)
    )
    assert has_bare_line_ending(content) is bare

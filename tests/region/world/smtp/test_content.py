"""Message contents, whatever way they are cut into pieces."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.smtp.content import ChunkReader, DataReader

LIMIT = 10_000
# Mostly what matters: dots and line ends, alone and together.
TEXT = st.lists(st.sampled_from([b".", b"\r", b"\n", b"\r\n", b"x", b"..", b"\r\n."]), max_size=30).map(b"".join)


def cut(octets: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(each, len(octets)) for each in cuts} | {0, len(octets)})
    return [octets[a:b] for a, b in itertools.pairwise(places)]


def stuffed(content: bytes) -> bytes:
    return re.sub(rb"(\A|\r\n)\.", rb"\1..", content)


@given(TEXT, st.lists(st.integers(0, 80), max_size=8))
def test_what_was_sent_comes_out_in_whatever_pieces(lines: bytes, cuts: list[int]) -> None:
    content = lines + b"\r\n"
    reader, rest = DataReader(LIMIT), None
    for piece in cut(stuffed(content) + b".\r\nQUIT\r\n", cuts):
        rest = reader.receive(piece) if rest is None else rest + piece
    assert (reader.content(), rest) == (content, b"QUIT\r\n")


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r"])
def test_nothing_but_a_dot_between_crlf_ends_a_message(end: bytes) -> None:
    reader = DataReader(LIMIT)
    assert reader.receive(b"x" + end + b"MAIL FROM:<smuggled@x.test>\r\n") is None
    assert reader.receive(b".\r\n") is not None
    assert b"smuggled" in reader.content()


def test_an_empty_message_is_one() -> None:
    reader = DataReader(LIMIT)
    assert (reader.receive(b".\r\nrest"), reader.content()) == (b"rest", b"")


@given(st.integers(0, 40), st.integers(1, 50))
def test_the_limit_holds_to_the_octet(size: int, piece: int) -> None:
    reader = DataReader(20)
    octets = b"x" * size + b"\r\n.\r\nrest"
    rest = None
    for start in range(0, len(octets), piece):
        part = octets[start : start + piece]
        rest = reader.receive(part) if rest is None else rest + part
    assert rest == b"rest"
    assert reader.too_big == (size + 2 > 20)


def test_what_is_too_big_is_not_kept() -> None:
    reader = DataReader(1000)
    for _ in range(1000):
        reader.receive(b"x" * 1000)
    assert len(reader._buffer) < 3000
    assert reader.receive(b"\r\n.\r\n") == b""
    assert reader.too_big


@given(st.lists(st.binary(max_size=50), max_size=5), st.lists(st.integers(0, 200), max_size=6))
def test_chunks_are_put_together(chunks: list[bytes], cuts: list[int]) -> None:
    reader = ChunkReader(LIMIT)
    for chunk in chunks:
        reader.begin(len(chunk))
        rest = None
        for piece in cut(chunk + b"BDAT", cuts) or [b""]:
            rest = reader.receive(piece) if rest is None else rest + piece
        assert rest == b"BDAT"
    assert reader.content() == b"".join(chunks)


def test_too_many_chunks_are_too_big() -> None:
    reader = ChunkReader(10)
    for _ in range(3):
        reader.begin(5)
        assert reader.receive(b"x" * 5) == b""
    assert reader.too_big
    assert reader.content() == b""

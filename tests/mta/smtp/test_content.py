from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.content import ChunkReader, ContentReader, dot_stuff, dot_unstuff
from postroad.smtp.parts import Budget, Parts

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
    reader = ContentReader(Parts(10_000, Budget(10_000)))
    rest = None
    at = 0
    for size in [*sizes, len(stream)]:
        rest = reader.feed(stream[at : at + size])
        at += size
        if rest is not None:
            break
    assert rest is not None
    assert reader.content() == wire
    assert rest + stream[at:] == behind


def test_other_ends_of_line_around_the_dot_end_nothing() -> None:
    for trick in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"):
        reader = ContentReader(Parts(1000, Budget(1000)))
        assert reader.feed(b"text" + trick + b"MAIL FROM:<a@b>\r\n") is None


@given(st.binary(max_size=60), st.lists(st.integers(0, 20), max_size=10), st.lists(st.integers(1, 7), max_size=40))
def test_chunks_make_one_message_however_they_and_the_stream_are_cut(
    content: bytes, chunks: list[int], sizes: list[int]
) -> None:
    reader = ChunkReader(Parts(1000, Budget(1000)))
    at = 0
    for number, size in enumerate([*chunks, 1000]):
        last = number == len(chunks)
        stream = content[at:] if last else content[at : at + size]
        at += len(stream)
        reader.start(len(stream), last=last)
        stream += b"NOOP"
        rest = reader.feed(b"", keep=True)
        for cut in [*sizes, 1000]:
            if rest is not None:
                break
            rest = reader.feed(stream[:cut], keep=True)
            stream = stream[cut:]
        assert (rest if rest is not None else b"") + stream == b"NOOP"
    taken = dot_unstuff(reader.content())
    assert taken == content or (taken == content + b"\r\n" and not content.endswith(b"\r\n"))

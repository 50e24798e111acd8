"""The domains of From: what is one for every reader, and nothing else."""

from email.headerregistry import HeaderRegistry

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.content.authors import AuthorsError, author_domains


@pytest.mark.parametrize(
    ("value", "domains"),
    [
        (b" a@x.test", (b"x.test",)),
        (b"<a@x.test>", (b"x.test",)),
        (b" News <a@X.test>", (b"X.test",)),
        (b' "a@evil.test, <b@evil.test>" <a@x.test>', (b"x.test",)),
        (b' "quoted \\" pair" <a@x.test>', (b"x.test",)),
        (b" Dr. A. [News] <a@x.test>", (b"x.test",)),
        (b" A\r\n\t<a@x.test>", (b"x.test",)),
        (b" a@x.test (a comment (nested) \\) a@evil.test)", (b"x.test",)),
        (b' "(no comment)" <a@x.test>', (b"x.test",)),
        (b" A <a@x.test>, b@y.test , C <c@x.test>", (b"x.test", b"y.test")),
        ("Jürgen <jürgen@bücher.test>".encode(), ("bücher.test".encode(),)),
        (b' "a b"@x.test', (b"x.test",)),
        (b"=?utf-8?q?b=40evil.test?= <a@x.test>", (b"x.test",)),
    ],
)
def test_authors_are_understood(value: bytes, domains: tuple[bytes, ...]) -> None:
    assert author_domains(value) == domains


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" nobody",
        b" a@x.test b@y.test",
        b" a@x.test <b@y.test>",
        b" <a@x.test> <b@y.test>",
        b" <a@x.test> b@y.test",
        b" <a@x.test>, ",
        b" ,a@x.test",
        b" Acme, Inc. <a@x.test>",
        b" News @ Acme <a@x.test>",
        b" group: a@x.test;",
        b" undisclosed:;",
        b" <@relay.test:a@x.test>",
        b" a@[192.0.2.1]",
        b" a@b@x.test",
        b' "open <a@x.test>',
        b" a@x.test (open",
        b" a@x.test\x00",
        b" <a@x.test",
        b" a @ x.test",
        b" a@x.test.",
        b" a@x..test",
        b" a@" + b"x" * 9000,
    ],
)
def test_what_readers_may_understand_differently_is_refused(value: bytes) -> None:
    with pytest.raises(AuthorsError):
        author_domains(value)


PIECES = st.sampled_from(
    ["a", "x.test", "@", "<", ">", ",", " ", '"', "(", ")", "\\", "b@y.test", "a@x.test", "News", ".", ";", ":", "\t"]
)


@settings(max_examples=2000)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_the_standard_library_finds_no_other_author(value: str) -> None:
    try:
        domains = author_domains(value.encode())
    except AuthorsError:
        return
    try:
        parsed = HeaderRegistry()("From", value)
    except (TypeError, IndexError, AttributeError):
        return  # it has faults of its own
    theirs = {address.domain for group in parsed.groups for address in group.addresses}
    assert theirs - {""} <= {domain.decode() for domain in domains}


@given(st.sampled_from([b"(", b"\\", b'"', b"a ", b"<", b"a@x,"]), st.integers(1, 8000))
def test_a_long_field_takes_no_long_time(piece: bytes, count: int) -> None:
    try:
        author_domains((piece * count)[:8192])
    except AuthorsError:
        return

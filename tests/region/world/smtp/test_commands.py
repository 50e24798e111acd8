"""Arguments of commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_region.world.smtp.commands import PathArgument, SyntaxFaultError, parse_path


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"FROM:<a@b.test>", PathArgument("a@b.test")),
        (b"from:<a@b.test>", PathArgument("a@b.test")),
        (b"FROM: <a@b.test>", PathArgument("a@b.test")),
        (b"FROM:<>", PathArgument("")),
        (b"FROM:<postmaster>", PathArgument("postmaster")),
        (b"FROM:<@r.test,@s.test:a@b.test>", PathArgument("a@b.test")),
        (b'FROM:<"a b>"@b.test>', PathArgument('"a b>"@b.test')),
        ("FROM:<ä@b.test>".encode(), PathArgument("ä@b.test")),
        (b"FROM:<a@b.test> SIZE=10 body=8BITMIME", PathArgument("a@b.test", {"SIZE": "10", "BODY": "8BITMIME"})),
        (b"FROM:<a@b.test> SMTPUTF8", PathArgument("a@b.test", {"SMTPUTF8": ""})),
    ],
)
def test_a_path_is_read(argument: bytes, expected: PathArgument) -> None:
    assert parse_path(argument, keyword=b"FROM") == expected


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"a@b.test",
        b"TO:<a@b.test>",
        b"FROM:a@b.test",
        b"FROM:<a@b.test",
        b"FROM:<a b@c.test>",
        b"FROM:<a@b.test>SIZE=1",
        b"FROM:<a@b.test> =1",
        b"FROM:<\xff@b.test>",
        b"FROM:<" + b"a" * 320 + b"@b.test>",
    ],
)
def test_what_is_no_path_is_refused_with_a_reply(argument: bytes) -> None:
    with pytest.raises(SyntaxFaultError, match=r"501 5\.\d\.\d "):
        parse_path(argument, keyword=b"FROM")


@given(st.binary(max_size=100))
def test_no_octets_break_it(octets: bytes) -> None:
    try:
        path = parse_path(b"TO:<" + octets, keyword=b"TO")
    except SyntaxFaultError:
        return
    assert "\n" not in path.address.replace('"', "") or '"' in path.address

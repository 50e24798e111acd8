import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.smtp.commands import CommandError
from postroad.smtp.sasl import Challenge, Credentials, Exchange


def encoded(text: bytes) -> bytes:
    return base64.b64encode(text)


def refusal(mechanism: bytes, *lines: bytes) -> str:
    try:
        exchange = Exchange(mechanism)
        exchange.begin(lines[0])
        for line in lines[1:]:
            exchange.respond(line)
    except CommandError as error:
        return error.reply.decode()
    return "taken"


def test_plain_with_and_without_an_initial_response() -> None:
    message = encoded("\0jürgen\0pass wörd".encode())
    assert Exchange(b"plain").begin(message) == Credentials("jürgen", "pass wörd")
    exchange = Exchange(b"PLAIN")
    assert exchange.begin(None) == Challenge(b"")
    assert exchange.respond(message) == Credentials("jürgen", "pass wörd")


def test_who_acts_as_itself_may_say_so() -> None:
    assert Exchange(b"PLAIN").begin(encoded(b"a\0a\0p")) == Credentials("a", "p")
    assert refusal(b"PLAIN", encoded(b"b\0a\0p")).startswith("535 5.7.8")


def test_login_asks_twice_or_takes_the_name_at_once() -> None:
    exchange = Exchange(b"LOGIN")
    assert exchange.begin(None) == Challenge(b"Username:")
    assert exchange.respond(encoded(b"a")) == Challenge(b"Password:")
    assert exchange.respond(encoded(b"p")) == Credentials("a", "p")
    exchange = Exchange(b"LOGIN")
    assert exchange.begin(encoded(b"a")) == Challenge(b"Password:")
    assert exchange.respond(encoded(b"p")) == Credentials("a", "p")


@pytest.mark.parametrize(
    ("mechanism", "lines", "code"),
    [
        (b"CRAM-MD5", (b"",), "504 5.5.4"),
        (b"", (b"",), "504 5.5.4"),
        (b"PLAIN", (b"not base64!",), "501 5.5.2"),
        (b"PLAIN", (b"YQ",), "501 5.5.2"),
        (b"PLAIN", (b"YQ==YQ==",), "501 5.5.2"),
        (b"PLAIN", (b"=",), "501 5.5.2"),
        (b"PLAIN", (encoded(b"a\0p"),), "501 5.5.2"),
        (b"PLAIN", (encoded(b"\0a\0p\0x"),), "501 5.5.2"),
        (b"PLAIN", (encoded(b"\0\0p"),), "501 5.5.2"),
        (b"PLAIN", (encoded(b"\0a\0"),), "501 5.5.2"),
        (b"PLAIN", (encoded(b"\0" + b"a" * 256 + b"\0p"),), "501 5.5.2"),
        (b"PLAIN", (encoded(b"\0a\0\xff"),), "501 5.5.2"),
        (b"LOGIN", (encoded(b"a"), b"*"), "501 5.7.0"),
        (b"LOGIN", (encoded(b"a"), encoded(b"")), "501 5.5.2"),
        (b"LOGIN", (encoded(b"a\0b"), encoded(b"p")), "501 5.5.2"),
    ],
)
def test_what_the_rfcs_forbid_is_refused(mechanism: bytes, lines: tuple[bytes, ...], code: str) -> None:
    assert refusal(mechanism, *lines).startswith(code)


@given(st.sampled_from([b"PLAIN", b"LOGIN"]), st.lists(st.one_of(st.binary(), st.binary().map(encoded)), max_size=4))
def test_garbage_ends_in_a_reply(mechanism: bytes, lines: list[bytes]) -> None:
    said = refusal(mechanism, b"=", *lines)
    assert said == "taken" or said[:3] in ("501", "535")

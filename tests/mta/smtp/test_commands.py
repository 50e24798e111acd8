import pytest
from postroad.smtp.commands import CommandError, parse_mail, parse_rcpt


@pytest.mark.parametrize(
    ("argument", "sender"),
    [
        (b"FROM:<a@b.test>", b"a@b.test"),
        (b"from:<a@b.test>", b"a@b.test"),
        (b"FROM: <a@b.test>", b"a@b.test"),
        (b"FROM:<>", b""),
        (b"FROM:<@relay.test,@other.test:a@b.test>", b"a@b.test"),
        (b'FROM:<"a b"@b.test>', b'"a b"@b.test'),
        (b"FROM:<a+tag@b.test>", b"a+tag@b.test"),
        (b"FROM:<a@[192.0.2.1]>", b"a@[192.0.2.1]"),
        (b"FROM:<a@xn--bcher-kva.test>", b"a@xn--bcher-kva.test"),
    ],
)
def test_senders_of_the_grammar_are_understood(argument: bytes, sender: bytes) -> None:
    assert parse_mail(argument).sender == sender


@pytest.mark.parametrize(
    "argument",
    [
        b"FROM:a@b.test",
        b"FROM:<a@b.test",
        b"FROM:<a b@b.test>",
        b"FROM:<a@b.test>x",
        b"FROM:<a@b..test>",
        b"FROM:<a@-b.test>",
        b"FROM:<a@b@c.test>",
        b"FROM:<a>",
        b"FROM:<" + b"a" * 65 + b"@b.test>",
        b"FROM:<a@" + b"b." * 130 + b"test>",
        b"FROM:<a\x00@b.test>",
        b"FROM:<<a@b.test>>",
        b"TO:<a@b.test>",
        b"",
    ],
)
def test_wrong_senders_are_refused_with_501(argument: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        parse_mail(argument)
    assert caught.value.reply.startswith(b"501 5.")


def test_parameters_are_understood() -> None:
    mail = parse_mail(b"FROM:<a@b.test> SIZE=1234 body=8BITMIME SMTPUTF8")
    assert (mail.size, mail.eight_bit, mail.smtputf8) == (1234, True, True)


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        (b"FROM:<a@b.test> SIZE=x", b"501"),
        (b"FROM:<a@b.test> BODY=BINARYMIME", b"501"),
        (b"FROM:<a@b.test> RET=FULL", b"555"),
        ("FROM:<ä@b.test>".encode(), b"553"),
    ],
)
def test_parameters_that_were_not_offered_are_refused(argument: bytes, code: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        parse_mail(argument)
    assert caught.value.reply.startswith(code)


def test_an_international_address_needs_smtputf8() -> None:
    argument = "TO:<ä@bücher.test>".encode()
    assert parse_rcpt(argument, smtputf8=True) == "ä@bücher.test".encode()
    with pytest.raises(CommandError, match="553"):
        parse_rcpt(argument, smtputf8=False)
    with pytest.raises(CommandError, match="501"):
        parse_rcpt(b"TO:<\xff@b.test>", smtputf8=True)


def test_a_recipient_cannot_be_empty() -> None:
    with pytest.raises(CommandError, match="501"):
        parse_rcpt(b"TO:<>", smtputf8=False)

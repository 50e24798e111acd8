import pytest
from postroad.smtp.commands import CommandError, parse_bdat, parse_mail, parse_rcpt
from postroad.smtp.envelope import Notify


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
        (b"FROM:<a@b.test> RET=ALL", b"501"),
        (b"FROM:<a@b.test> ENVID=", b"501"),
        (b"FROM:<a@b.test> ENVID=a+0", b"501"),
        (b"FROM:<a@b.test> ENVID=" + b"x" * 101, b"501"),
        (b"FROM:<a@b.test> SIZE=1 size=2", b"501"),
        (b"FROM:<a@b.test> BY=1", b"555"),
        ("FROM:<ä@b.test>".encode(), b"553"),
    ],
)
def test_parameters_that_were_not_offered_are_refused(argument: bytes, code: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        parse_mail(argument)
    assert caught.value.reply.startswith(code)


def test_an_international_address_needs_smtputf8() -> None:
    argument = "TO:<ä@bücher.test>".encode()
    assert parse_rcpt(argument, smtputf8=True).address == "ä@bücher.test".encode()
    with pytest.raises(CommandError, match="553"):
        parse_rcpt(argument, smtputf8=False)
    with pytest.raises(CommandError, match="501"):
        parse_rcpt(b"TO:<\xff@b.test>", smtputf8=True)


def test_a_recipient_cannot_be_empty() -> None:
    with pytest.raises(CommandError, match="501"):
        parse_rcpt(b"TO:<>", smtputf8=False)


def test_what_the_sender_wants_to_be_told_is_understood() -> None:
    mail = parse_mail(b"FROM:<a@b.test> RET=hdrs ENVID=QQ+2B314159 AUTH=<>")
    assert (mail.ret, mail.envid) == ("HDRS", b"QQ+2B314159")
    rcpt = parse_rcpt(b"TO:<b@y.test> NOTIFY=success,FAILURE ORCPT=rfc822;b@z.test", smtputf8=False)
    assert (rcpt.notify, rcpt.orcpt) == (Notify.SUCCESS | Notify.FAILURE, b"rfc822;b@z.test")
    assert parse_rcpt(b"TO:<b@y.test> NOTIFY=NEVER", smtputf8=False).notify == Notify.NEVER
    assert parse_rcpt("TO:<b@y.test> ORCPT=utf-8;bücher".encode(), smtputf8=True).orcpt


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (b"NOTIFY=NEVER,SUCCESS", "501"),
        (b"NOTIFY=SUCCESS,NEVER", "501"),
        (b"NOTIFY=DELAY,DELAY", "501"),
        (b"NOTIFY=", "501"),
        (b"NOTIFY", "501"),
        (b"NOTIFY=SOMETIMES", "501"),
        (b"ORCPT=b@z.test", "501"),
        (b"ORCPT=rfc822;b+c", "501"),
        ("ORCPT=utf-8;bücher".encode(), "501"),
        (b"NOTIFY=DELAY NOTIFY=DELAY", "501"),
        (b"RET=FULL", "555"),
    ],
)
def test_wrong_wishes_are_refused(parameters: bytes, code: str) -> None:
    with pytest.raises(CommandError, match=code):
        parse_rcpt(b"TO:<b@y.test> " + parameters, smtputf8=False)


@pytest.mark.parametrize(
    ("argument", "chunk"), [(b"0", (0, False)), (b"17 LAST", (17, True)), (b"17  last ", (17, True))]
)
def test_chunks_are_understood(argument: bytes, chunk: tuple[int, bool]) -> None:
    assert parse_bdat(argument) == chunk


@pytest.mark.parametrize("argument", [b"", b"LAST", b"-1", b"1 FIRST", b"1LAST", b"1" * 21, b"0x10", "٣".encode()])
def test_what_is_no_chunk_is_refused(argument: bytes) -> None:
    with pytest.raises(CommandError, match="501"):
        parse_bdat(argument)

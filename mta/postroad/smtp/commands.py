"""Commands: the arguments of MAIL and RCPT, parsed (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2)."""

import re
from dataclasses import dataclass

# A source route is accepted and ignored (RFC 5321 4.1.1.3: servers MUST parse it, SHOULD ignore it).
_PATH = re.compile(
    rb"""
    [ ]?                                                          # not RFC 5321, but common: "MAIL FROM: <a@b>"
    <(?:@[^<>\s:]{1,255}:)?
    (?P<address>
        (?:[^\x00-\x20<>()\[\]\\,;:@"\x7f]{1,64} | "(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e]){0,62}")
        @(?P<domain>[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9._\x80-\xff-]{0,253}) | \[[A-Za-z0-9:.]{1,60}\])
    )?>
    (?P<parameters>(?:[ ]+[A-Za-z0-9][A-Za-z0-9-]*(?:=[\x21-\x3c\x3e-\x7e\x80-\xff]+)?)*)[ ]*
    """,
    re.VERBOSE,
)
MAX_PATH = 254
"""Octets of an address: 256 less the angle brackets (RFC 5321 4.5.3.1.3)."""


class CommandError(ValueError):
    """Wrong arguments; the text is the reply to send."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailArguments:
    """What MAIL said."""

    sender: bytes
    size: int = 0
    """Octets that the client declared; 0 if it didn't (RFC 1870)."""
    eight_bit: bool = False
    smtputf8: bool = False


def parse_mail(argument: bytes) -> MailArguments:
    """The arguments of MAIL.

    Raises:
        CommandError: they are wrong; it carries the reply.
    """
    path, parameters = _path(argument, b"FROM:", b"501 5.1.7 bad sender address syntax")
    size = 0
    eight_bit = smtputf8 = False
    for parameter in parameters:
        key, _, value = parameter.partition(b"=")
        match key.upper():
            case b"SIZE" if value.isdigit() and len(value) <= 20:
                size = int(value)
            case b"BODY" if value.upper() in (b"7BIT", b"8BITMIME"):
                eight_bit = value.upper() == b"8BITMIME"
            case b"SMTPUTF8" if not value:
                smtputf8 = True
            case b"SIZE" | b"BODY" | b"SMTPUTF8":
                raise CommandError(b"501 5.5.4 bad value of %s" % key.upper())
            case _:
                raise CommandError(b"555 5.5.4 unknown MAIL parameter")
    if not smtputf8 and not path.isascii():
        raise CommandError(b"553 5.6.7 address needs SMTPUTF8")
    return MailArguments(path, size, eight_bit, smtputf8)


def parse_rcpt(argument: bytes, *, smtputf8: bool) -> bytes:
    """The address of RCPT.

    Raises:
        CommandError: it is wrong; the error carries the reply.
    """
    path, parameters = _path(argument, b"TO:", b"501 5.1.3 bad recipient address syntax")
    if not path:
        raise CommandError(b"501 5.1.3 a recipient needs an address")
    if parameters:
        raise CommandError(b"555 5.5.4 unknown RCPT parameter")
    if not smtputf8 and not path.isascii():
        raise CommandError(b"553 5.6.7 address needs SMTPUTF8")
    return path


def _path(argument: bytes, keyword: bytes, wrong: bytes) -> tuple[bytes, list[bytes]]:
    if argument[: len(keyword)].upper() != keyword:
        raise CommandError(b"501 5.5.4 expected %s<address>" % keyword)
    match = _PATH.fullmatch(argument, len(keyword))
    if match is None:
        raise CommandError(wrong)
    address = match["address"] or b""
    if len(address) > MAX_PATH or b".." in (match["domain"] or b""):
        raise CommandError(wrong)
    if not address.isascii():
        try:
            address.decode("utf-8")
        except UnicodeDecodeError:
            raise CommandError(wrong) from None
    return address, match["parameters"].split()

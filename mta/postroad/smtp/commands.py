"""Commands: the arguments of MAIL, RCPT and BDAT, parsed (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2; RFC 3461 4; RFC 3030 2)."""

import re
from collections.abc import Iterator

import msgspec

from postroad.smtp.envelope import Notify, is_envid, is_orcpt

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
_CHUNK = re.compile(rb"([0-9]{1,20})(?: +(LAST))? *", re.IGNORECASE)
_NOTIFY = {b"NEVER": Notify.NEVER, b"SUCCESS": Notify.SUCCESS, b"FAILURE": Notify.FAILURE, b"DELAY": Notify.DELAY}
MAX_PATH = 254
"""Octets of an address: 256 less the angle brackets (RFC 5321 4.5.3.1.3)."""


class CommandError(ValueError):
    """Wrong arguments; the text is the reply to send."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reply = reply


class MailArguments(msgspec.Struct, frozen=True):
    """What MAIL said."""

    sender: bytes
    size: int = 0
    """Octets that the client declared; 0 if it didn't (RFC 1870)."""
    eight_bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    """FULL or HDRS; empty if RET wasn't given."""
    envid: bytes = b""


class RcptArguments(msgspec.Struct, frozen=True):
    """What RCPT said."""

    address: bytes
    notify: int = 0
    """`Notify`; 0 if it wasn't given."""
    orcpt: bytes = b""


def parse_mail(argument: bytes) -> MailArguments:
    """The arguments of MAIL.

    Raises:
        CommandError: they are wrong; it carries the reply.
    """
    path, parameters = _path(argument, b"FROM:", b"501 5.1.7 bad sender address syntax")
    if not parameters:
        if not path.isascii():
            raise CommandError(b"553 5.6.7 address needs SMTPUTF8")
        return MailArguments(path)
    size = 0
    eight_bit = smtputf8 = False
    ret, envid = "", b""
    for key, value in _each_once(parameters):
        match key:
            case b"SIZE" if value.isdigit() and len(value) <= 20:
                size = int(value)
            case b"BODY" if value.upper() in (b"7BIT", b"8BITMIME"):
                eight_bit = value.upper() == b"8BITMIME"
            case b"SMTPUTF8" if not value:
                smtputf8 = True
            case b"RET" if value.upper() in (b"FULL", b"HDRS"):
                ret = value.upper().decode("ascii")
            case b"ENVID" if is_envid(value):
                envid = value
            case b"AUTH" if value:
                pass  # who the client says sent it first (RFC 4954 5): nothing here trusts it
            case b"SIZE" | b"BODY" | b"SMTPUTF8" | b"RET" | b"ENVID" | b"AUTH":
                raise CommandError(b"501 5.5.4 bad value of %s" % key)
            case _:
                raise CommandError(b"555 5.5.4 unknown MAIL parameter")
    if not smtputf8 and not path.isascii():
        raise CommandError(b"553 5.6.7 address needs SMTPUTF8")
    return MailArguments(path, size, eight_bit, smtputf8, ret, envid)


def parse_rcpt(argument: bytes, *, smtputf8: bool) -> RcptArguments:
    """The arguments of RCPT.

    Raises:
        CommandError: they are wrong; the error carries the reply.
    """
    path, parameters = _path(argument, b"TO:", b"501 5.1.3 bad recipient address syntax")
    if not path:
        raise CommandError(b"501 5.1.3 a recipient needs an address")
    if not smtputf8 and not path.isascii():
        raise CommandError(b"553 5.6.7 address needs SMTPUTF8")
    if not parameters:
        return RcptArguments(path)
    notify, orcpt = 0, b""
    for key, value in _each_once(parameters):
        match key:
            case b"NOTIFY" if flags := _notify(value):
                notify = flags
            case b"ORCPT" if is_orcpt(value) and (smtputf8 or value.isascii()):
                orcpt = value
            case b"NOTIFY" | b"ORCPT":
                raise CommandError(b"501 5.5.4 bad value of %s" % key)
            case _:
                raise CommandError(b"555 5.5.4 unknown RCPT parameter")
    return RcptArguments(path, notify, orcpt)


def parse_bdat(argument: bytes) -> tuple[int, bool]:
    """The size of a chunk in octets, and whether it is the last.

    Raises:
        CommandError: where the chunk ends can't be told.
    """
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise CommandError(b"501 5.5.4 expected BDAT <size> or BDAT <size> LAST")
    return int(match[1]), match[2] is not None


def _notify(value: bytes) -> int:
    """The flags of NOTIFY (RFC 3461 4.1); 0 if it is none."""
    flags = 0
    for word in value.upper().split(b","):
        flag = _NOTIFY.get(word, 0)
        if not flag or flags & flag or flags & Notify.NEVER:
            return 0
        flags |= flag
    return flags if flags == Notify.NEVER or not flags & Notify.NEVER else 0


def _each_once(parameters: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Keywords in upper case, with their values (RFC 5321 4.1.2). Raises CommandError if one is there twice."""
    seen = set()
    for parameter in parameters:
        key, _, value = parameter.partition(b"=")
        key = key.upper()
        if key in seen:
            raise CommandError(b"501 5.5.4 a parameter is there twice")
        seen.add(key)
        yield key, value


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

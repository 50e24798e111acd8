"""The authors of a message: the domains in its From field (RFC 5322 3.6.2)."""

import re

MAX_FROM = 8192
"""Octets of a From field that are looked at."""

# Possessive throughout: no input makes the expression try twice.
_QUOTED = rb'"(?:[^"\\\r\n]|\\[^\r\n])*+"'
_WORD = rb'(?:%s|[^\x00-\x20"(),:;<>@\\\x7f]++)' % _QUOTED
_LABEL = rb"[A-Za-z0-9_\x80-\xff-]++"
_ADDRESS = rb'(?:%s|[^\x00-\x20"(),:;<>@\[\]\\\x7f]++)@(%s(?:\.%s)*+)' % (_QUOTED, _LABEL, _LABEL)
_MAILBOX = re.compile(
    rb"[ \t]*+(?:(?:%s[ \t]*+)*+<[ \t]*+%s[ \t]*+>|%s)[ \t]*+(?:(,)|\Z)" % (_WORD, _ADDRESS, _ADDRESS)
)


class AuthorsError(ValueError):
    """A From field that doesn't say who wrote the message."""


def author_domains(value: bytes) -> tuple[bytes, ...]:
    """The domains of all addresses of a From field, in their order, each once, as they are written.

    Only what RFC 5322 3.4 lets a mailbox list be is understood, as what programs make of anything else differs.
    (An unquoted display name may have dots, brackets and UTF-8; groups and domain literals are refused.)

    Args:
        value: all behind the colon, folded or not.

    Raises:
        AuthorsError: it isn't a list of mailboxes; the text says what is wrong.
    """
    if len(value) > MAX_FROM:
        raise AuthorsError(f"it is longer than {MAX_FROM} octets")
    text = value.replace(b"\r\n", b"")
    if b"(" in text:
        text = _without_comments(text)
    domains: dict[bytes, None] = {}
    at = 0
    while True:
        match = _MAILBOX.match(text, at)
        if match is None:
            raise AuthorsError('write it as "Name" <local-part@domain>, with commas between several')
        domains[match[1] or match[2]] = None
        if match[3] is None:
            return tuple(domains)
        at = match.end()


def _without_comments(text: bytes) -> bytes:
    """A field without its comments (RFC 5322 3.2.2), which nest and may have quoted pairs."""
    kept = bytearray()
    depth = 0
    quoted = False
    octets = iter(text)
    for octet in octets:
        if octet == 0x5C:  # a backslash: what follows is taken as it is
            following = next(octets, None)
            if not depth and following is not None:
                kept += bytes((octet, following))
            continue
        if octet == 0x22 and not depth:
            quoted = not quoted
        if not quoted and octet == 0x28:
            depth += 1
        elif not quoted and octet == 0x29 and depth:
            depth -= 1
            kept.append(0x20)
        elif not depth:
            kept.append(octet)
    if depth:
        raise AuthorsError("a comment isn't closed")
    return bytes(kept)

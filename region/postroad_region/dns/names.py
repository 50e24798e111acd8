r"""Names and character strings as Route 53 writes them.

Route 53's escapes are octal (`\052` is `*`), those of zone files decimal (`\042`): a name copied as it is means
another one. https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
"""

import re
from collections.abc import Iterator, Sequence

import dns.name

_ESCAPE = re.compile(r"\\([0-3][0-7]{2})")
_STRING_LIMIT = 255


def name_from_route53(text: str) -> dns.name.Name:
    """An absolute, lower-case name, with or without the last dot.

    Raises:
        ValueError: a label is empty or longer than 63 octets, or the name than 255.
    """
    labels: list[bytes] = []
    label = bytearray()
    for octet, escaped in _octets(text):
        if octet == 0x2E and not escaped:
            labels.append(bytes(label))
            label.clear()
        else:
            label.append(octet)
    if label:
        labels.append(bytes(label))
    if text == ".":
        labels = []
    if not all(labels) or not text:
        raise ValueError(f"{text!r} has an empty label")
    try:
        return dns.name.Name([*(each.lower() for each in labels), b""])
    except (dns.name.LabelTooLong, dns.name.NameTooLong) as error:
        raise ValueError(f"{text!r}: {error}") from error


def decimal_escapes(value: str) -> str:
    """A record's value with its octal escapes as zone files write them."""
    return _ESCAPE.sub(lambda match: f"\\{int(match[1], 8):03d}", value)


def character_strings(value: str) -> tuple[bytes, ...]:
    """The strings of a TXT or SPF value: quoted ones, and words without quotes; longer than 255 octets they are split.

    Raises:
        ValueError: there is none, or a quote isn't closed.
    """
    strings: list[bytes] = []
    current: bytearray | None = None
    quoted = False
    for octet, escaped in _octets(value):
        if octet == 0x22 and not escaped:
            if quoted:
                strings.append(bytes(current or b""))
                current, quoted = None, False
            else:
                if current is not None:
                    strings.append(bytes(current))
                current, quoted = bytearray(), True
        elif octet in b" \t" and not escaped and not quoted:
            if current is not None:
                strings.append(bytes(current))
                current = None
        else:
            current = current if current is not None else bytearray()
            current.append(octet)
    if quoted:
        raise ValueError("a quote is not closed")
    if current is not None:
        strings.append(bytes(current))
    if not strings:
        raise ValueError("there is no text")
    return tuple(part for string in strings for part in _split(string))


def _octets(text: str) -> Iterator[tuple[int, bool]]:
    """Octets, and whether each was escaped."""
    position = 0
    while position < len(text):
        character = text[position]
        if character != "\\":
            for octet in character.encode():
                yield octet, False
            position += 1
        elif match := _ESCAPE.match(text, position):
            yield int(match[1], 8), True
            position = match.end()
        elif position + 1 < len(text):
            for octet in text[position + 1].encode():
                yield octet, True
            position += 2
        else:
            raise ValueError(f"{text!r} ends in a backslash")


def _split(string: bytes) -> Sequence[bytes]:
    if not string:
        return [b""]
    return [string[start : start + _STRING_LIMIT] for start in range(0, len(string), _STRING_LIMIT)]

"""Arguments of SMTP commands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PATH = re.compile(
    rb"(?:FROM|TO):\s*<(?:@[^:>\s]+:)?((?:\"(?:[^\"\\]|\\.)*\"|[^\s<>\"@]+)(?:@[^\s<>@]+)?)?>(?:\s+(.*))?\Z",
    re.IGNORECASE | re.DOTALL,
)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?\Z")
_LONGEST = 320


class SyntaxFaultError(Exception):
    """The text is the reply."""


@dataclass(frozen=True, slots=True)
class PathArgument:
    """A path and what follows it.

    Args:
        address: empty for `<>`.
        parameters: upper-case names; those without a value have an empty one.
    """

    address: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_path(argument: bytes, *, keyword: bytes) -> PathArgument:
    """`FROM:<…>` or `TO:<…>` with parameters (RFC 5321 4.1.2; source routes are dropped).

    Raises:
        SyntaxFaultError: it isn't one; the reply to give.
    """
    match = _PATH.match(argument)
    if match is None or not argument[: len(keyword)].upper() == keyword:
        raise SyntaxFaultError(f"501 5.5.4 Syntax: {keyword.decode()}:<address>")
    try:
        address = (match[1] or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxFaultError("501 5.1.3 The address is no UTF-8") from None
    if len(address) > _LONGEST:
        raise SyntaxFaultError("501 5.1.3 The address is too long")
    parameters = {}
    for word in (match[2] or b"").split():
        parameter = _PARAMETER.match(word)
        if parameter is None:
            raise SyntaxFaultError("501 5.5.4 Syntax of a parameter")
        parameters[parameter[1].decode().upper()] = (parameter[2] or b"").decode()
    return PathArgument(address, parameters)

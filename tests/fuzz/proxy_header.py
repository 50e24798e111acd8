"""What anybody may put in front of a stream as a PROXY header.

Always: what a prefix decides, more octets don't change; addresses are nothing but addresses; what version 2 says is
said again by our own encoder; and a header never grows beyond its bounds before it is refused.
"""

import re

from postroad.wire.proxy_protocol import (
    SIGNATURE,
    HeaderError,
    ProxyHeader,
    encode_v2,
    parse_header,
    without_header,
)

_ADDRESS = re.compile(r"[0-9a-f.:]+")
LONGEST = 16 + 4096


def check(data: bytes) -> None:
    whole = _parsed(data)
    decided = False
    for size in _sizes(len(data)):
        part = _parsed(data[:size])
        if part is not None and not decided:
            decided = True
            assert isinstance(part, str) == isinstance(whole, str), f"{part} of {size} octets, {whole} of all"
            if not isinstance(part, str):
                assert part == whole
                assert part[1] <= size
    if whole is None:
        assert len(data) < LONGEST, "it could go on for ever"
    elif not isinstance(whole, str):
        _check_header(data, *whole)
    _check_optional(data, whole)


def _sizes(size: int) -> list[int]:
    return [*range(min(size, 160)), *range(160, size, 97), size]


def _parsed(data: bytes) -> tuple[ProxyHeader, int] | str | None:
    try:
        return parse_header(data)
    except HeaderError as error:
        return str(error)


def _check_header(data: bytes, header: ProxyHeader, size: int) -> None:
    assert 0 < size <= len(data)
    assert (header.source is None) == (header.destination is None)
    assert 0 <= header.source_port <= 65535
    assert 0 <= header.destination_port <= 65535
    if header.source is None or header.destination is None:
        return
    for address in (header.source, header.destination):
        # It goes into the Received field and into the log.
        assert _ADDRESS.fullmatch(str(address)) is not None, str(address)
    assert header.source.version == header.destination.version
    again = encode_v2(header.source, header.source_port, header.destination, header.destination_port)
    assert parse_header(again + data[size:]) == (header, len(again))


def _check_optional(data: bytes, whole: tuple[ProxyHeader, int] | str | None) -> None:
    try:
        rest = without_header(data)
    except HeaderError:
        assert data.startswith(SIGNATURE)
        assert isinstance(whole, str)
        return
    if not data.startswith(SIGNATURE):
        assert rest == (None if SIGNATURE.startswith(data) else data)
    elif whole is None:
        assert rest is None
    else:
        assert not isinstance(whole, str)
        assert rest == data[whole[1] :]

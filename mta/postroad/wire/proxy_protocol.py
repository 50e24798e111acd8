"""The PROXY protocol's header, versions 1 and 2 (haproxy.org, proxy-protocol.txt)."""

import ipaddress
import struct
from dataclasses import dataclass

from postroad.wire.socks5 import IpAddress

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_MAX = 107
_V2_MAX = 16 + 4096
"""More TLVs than this nobody sends; the length field would permit 64 KiB."""
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


class HeaderError(ValueError):
    """No PROXY header, or a wrong one."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a header says. Source and destination are None for LOCAL and UNKNOWN: the sender speaks for itself."""

    source: IpAddress | None
    source_port: int
    destination: IpAddress | None
    destination_port: int


_OWN = ProxyHeader(None, 0, None, 0)


def parse_header(data: bytes) -> tuple[ProxyHeader, int] | None:
    """The header at the start of `data` and its length; None if it isn't whole yet.

    Raises:
        HeaderError: it is none.
    """
    if data.startswith(SIGNATURE):
        return _parse_v2(data)
    if data.startswith(b"PROXY "):
        return _parse_v1(data)
    if SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return None
    raise HeaderError("no PROXY header")


def _parse_v1(data: bytes) -> tuple[ProxyHeader, int] | None:
    end = data.find(b"\r\n", 0, _V1_MAX)
    if end < 0:
        if len(data) >= _V1_MAX:
            raise HeaderError("PROXY v1 header without end")
        return None
    words = data[:end].split(b" ")
    if words[1] == b"UNKNOWN":
        return _OWN, end + 2
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise HeaderError("malformed PROXY v1 header")
    version = 4 if words[1] == b"TCP4" else 6
    try:
        source, destination = (ipaddress.ip_address(word.decode("ascii")) for word in words[2:4])
        ports = [_port(word) for word in words[4:6]]
    except ValueError:
        raise HeaderError("malformed PROXY v1 header") from None
    if source.version != version or destination.version != version:
        raise HeaderError("addresses of a PROXY v1 header aren't of its family")
    if b"%" in words[2] + words[3]:
        # A zone may be any text, and the address goes into trace fields and logs.
        raise HeaderError("an address of a PROXY v1 header has a zone")
    return ProxyHeader(source, ports[0], destination, ports[1]), end + 2


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65535:
        raise ValueError(word)
    return int(word)


def _parse_v2(data: bytes) -> tuple[ProxyHeader, int] | None:
    if len(data) < 16:
        return None
    command, family, size = struct.unpack_from(">BBH", data, 12)
    if command not in (_LOCAL, _PROXY):
        raise HeaderError(f"PROXY v2 header of version and command {command:#04x}")
    if 16 + size > _V2_MAX:
        raise HeaderError(f"PROXY v2 header of {16 + size} octets")
    if len(data) < 16 + size:
        return None
    if command == _LOCAL:
        return _OWN, 16 + size
    width = {_TCP4: 4, _TCP6: 16}.get(family)
    if width is None:
        raise HeaderError(f"PROXY v2 header of family {family:#04x}: only TCP over IPv4 and IPv6 is taken")
    if size < 2 * width + 4:
        raise HeaderError("PROXY v2 header too short for its addresses")
    source = ipaddress.ip_address(data[16 : 16 + width])
    destination = ipaddress.ip_address(data[16 + width : 16 + 2 * width])
    source_port, destination_port = struct.unpack_from(">HH", data, 16 + 2 * width)
    return ProxyHeader(source, source_port, destination, destination_port), 16 + size


def without_header(data: bytes) -> bytes | None:
    """What follows a version 2 header, or all of `data` if it doesn't begin with one; None if that can't be told yet.

    Raises:
        HeaderError: it begins like one and is none.
    """
    if not data.startswith(SIGNATURE):
        return None if SIGNATURE.startswith(data) else data
    parsed = _parse_v2(data)
    return None if parsed is None else data[parsed[1] :]


def encode_v2(source: IpAddress, source_port: int, destination: IpAddress, destination_port: int) -> bytes:
    """A version 2 header without TLVs.

    Raises:
        HeaderError: the addresses are of different families.
    """
    if source.version != destination.version:
        raise HeaderError("source and destination are of different families")
    family = _TCP4 if source.version == 4 else _TCP6
    body = source.packed + destination.packed + struct.pack(">HH", source_port, destination_port)
    return SIGNATURE + struct.pack(">BBH", _PROXY, family, len(body)) + body

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.wire.proxy_protocol import SIGNATURE, HeaderError, encode_v2, parse_header, without_header

A = ipaddress.ip_address("10.0.0.1")
B = ipaddress.ip_address("192.0.2.25")


def test_version_2_is_28_octets_for_ipv4() -> None:
    header = encode_v2(A, 0, B, 25)
    assert header == bytes.fromhex("0D0A0D0A000D0A515549540A 21 11 000C 0A000001 C0000219 0000 0019")
    parsed = parse_header(header + b"rest")
    assert parsed is not None
    found, size = parsed
    assert (found.source, found.destination, found.destination_port, size) == (A, B, 25, 28)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.binary(max_size=20))
def test_every_prefix_of_a_header_is_incomplete_and_the_whole_is_understood(
    source: ipaddress.IPv4Address, destination: ipaddress.IPv4Address, port: int, behind: bytes
) -> None:
    for header in (encode_v2(source, 0, destination, port), f"PROXY TCP4 {source} {destination} 0 {port}\r\n".encode()):
        for end in range(len(header)):
            assert parse_header(header[:end]) is None
        parsed = parse_header(header + behind)
        assert parsed is not None
        assert (parsed[0].source, parsed[0].destination_port, parsed[1]) == (source, port, len(header))


def test_tlvs_are_skipped_and_local_speaks_for_itself() -> None:
    header = bytearray(encode_v2(A, 1, B, 25))
    header[15] += 5
    parsed = parse_header(bytes(header) + b"\x04\x00\x02ab")
    assert parsed is not None
    assert parsed[1] == 33
    local = parse_header(SIGNATURE + b"\x20\x00\x00\x00")
    assert local is not None
    assert local[0].destination is None
    unknown = parse_header(b"PROXY UNKNOWN\r\n")
    assert unknown is not None
    assert unknown[0].source is None


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO x\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        SIGNATURE + b"\x21\x12\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x21\x11\x00\x04" + b"\0" * 4,
        SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
def test_wrong_headers_are_errors(data: bytes) -> None:
    with pytest.raises(HeaderError):
        parse_header(data)


@given(st.binary(max_size=80), st.booleans())
def test_garbage_raises_nothing_else(data: bytes, signed: bool) -> None:
    with contextlib.suppress(HeaderError):
        parse_header((SIGNATURE if signed else b"") + data)


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.binary(max_size=40))
def test_what_follows_a_header_is_found_however_it_arrives(
    source: ipaddress.IPv4Address, port: int, behind: bytes
) -> None:
    header = encode_v2(source, port, B, 25)
    assert without_header(header + behind) == behind
    for end in range(len(header)):
        assert without_header(header[:end]) is None


@given(st.binary(min_size=1, max_size=40).filter(lambda data: data[:1] != b"\r"))
def test_what_does_not_begin_with_a_header_is_all_there_is(data: bytes) -> None:
    assert without_header(data) == data

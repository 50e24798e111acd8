import errno
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.wire.socks5 import (
    BindRequested,
    Connected,
    ConnectRequested,
    ProxyRefusedError,
    SocksClient,
    SocksError,
    SocksRefused,
    SocksReply,
    SocksServer,
    encode_reply,
    reply_of,
)

SOURCE = ipaddress.ip_address("10.0.0.1")
MX = ipaddress.ip_address("192.0.2.25")
# The octets of KumoMTA's dialect, as captured.
GREETING = bytes.fromhex("050100")
BIND = bytes.fromhex("05020001 0A000001 0000")
CONNECT = bytes.fromhex("05010001 C0000219 0019")


def test_the_client_sends_everything_in_one_segment_of_23_octets() -> None:
    client = SocksClient(source=SOURCE, destination=MX, port=25)
    assert client.data_to_send() == GREETING + BIND + CONNECT
    assert client.receive(bytes.fromhex("0500 05000001 0A000001 0000")) is None
    assert client.receive(bytes.fromhex("05000001 0A000001 C350") + b"220 hi\r\n") == Connected(SOURCE, 50000)
    assert client.rest() == b"220 hi\r\n"


def test_the_client_can_go_turn_by_turn() -> None:
    client = SocksClient(source=SOURCE, destination=MX, port=25, at_once=False)
    assert client.data_to_send() == GREETING
    client.receive(bytes.fromhex("0500"))
    assert client.data_to_send() == BIND
    client.receive(bytes.fromhex("05000001 0A000001 0000"))
    assert client.data_to_send() == CONNECT


@pytest.mark.parametrize(("step", "at_connect"), [("0500 05010001000000000000", False), ("", True)])
def test_the_client_tells_a_bad_source_from_a_dead_destination(step: str, at_connect: bool) -> None:
    client = SocksClient(source=SOURCE, destination=MX, port=25)
    data = bytes.fromhex(step or "0500 05000001 0A000001 0000 05050001000000000000")
    with pytest.raises(ProxyRefusedError) as caught:
        client.receive(data)
    assert caught.value.at_connect is at_connect


@pytest.mark.parametrize("data", [b"220 smtp\r\n", b"\x05\xff", b"\x05\x02"])
def test_the_client_sees_what_is_no_proxy_for_it(data: bytes) -> None:
    with pytest.raises(SocksError):
        SocksClient(source=None, destination=MX, port=25).receive(data)


def test_families_must_agree() -> None:
    with pytest.raises(SocksError, match="different families"):
        SocksClient(source=SOURCE, destination=ipaddress.ip_address("2001:db8::1"), port=25)


def test_the_server_answers_each_step_in_turn_though_all_came_at_once() -> None:
    server = SocksServer()
    assert server.receive(GREETING + BIND + CONNECT + b"EHLO x\r\n") == BindRequested(SOURCE)
    assert server.data_to_send() == bytes.fromhex("0500")
    assert server.bound(SOURCE, 0) == ConnectRequested(MX, 25)
    assert server.data_to_send() == bytes.fromhex("05000001 0A000001 0000")
    server.connected(SOURCE, 50000)
    assert server.data_to_send() == bytes.fromhex("05000001 0A000001 C350")
    assert server.rest() == b"EHLO x\r\n"


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        ("050102", "05ff"),
        ("050100 05030001 0A000001 0000", "0500 05070001000000000000"),
        ("050100 05010003 0161 0019", "0500 05010001000000000000"),
        ("050100 04010001 C0000219 0019", "0500 05010001000000000000"),
        ("040100", ""),
    ],
)
def test_the_server_refuses_what_the_dialect_lacks(octets: str, answer: str) -> None:
    server = SocksServer()
    assert isinstance(server.receive(bytes.fromhex(octets)), SocksRefused)
    assert server.data_to_send() == bytes.fromhex(answer)


def test_the_server_refuses_a_second_bind_and_mixed_families() -> None:
    server = SocksServer()
    server.receive(GREETING + BIND)
    server.bound(SOURCE, 0)
    assert isinstance(server.receive(BIND), SocksRefused)
    server = SocksServer()
    server.receive(GREETING + BIND)
    server.bound(SOURCE, 0)
    assert isinstance(server.receive(bytes.fromhex("05010004" + "00" * 15 + "01" + "0019")), SocksRefused)


@given(st.binary(max_size=60), st.lists(st.integers(0, 8), max_size=20))
def test_garbage_and_cuts_raise_nothing_in_the_server(data: bytes, sizes: list[int]) -> None:
    server = SocksServer()
    event = None
    for size in [*sizes, len(data)]:
        if size and data:
            event = server.receive(data[:size])
            data = data[size:]
        if isinstance(event, SocksRefused):
            return
        if isinstance(event, BindRequested):
            event = server.bound(event.source, 0)
        if isinstance(event, ConnectRequested):
            server.connected(event.destination, 1)
            return


@given(st.lists(st.integers(1, 10), max_size=30))
def test_the_handshake_works_however_the_streams_are_cut(sizes: list[int]) -> None:
    client, server = SocksClient(source=SOURCE, destination=MX, port=25), SocksServer()
    request = client.data_to_send()
    answers = b""
    for size in [*sizes, len(request)]:
        event = server.receive(request[:size]) if request else None
        request = request[size:]
        while event is not None:
            if isinstance(event, BindRequested):
                event = server.bound(SOURCE, 0)
            else:
                server.connected(SOURCE, 4711)
                event = None
        answers += server.data_to_send()
    connected = None
    for octet in answers:
        connected = client.receive(bytes([octet])) or connected
    assert connected == Connected(SOURCE, 4711)


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (OSError(errno.ECONNREFUSED, ""), SocksReply.REFUSED),
        (OSError(errno.EHOSTUNREACH, ""), SocksReply.HOST_UNREACHABLE),
        (OSError(errno.ENETUNREACH, ""), SocksReply.NETWORK_UNREACHABLE),
        (OSError(errno.EADDRNOTAVAIL, ""), SocksReply.FAILURE),
        (TimeoutError(), SocksReply.TIMED_OUT),
    ],
)
def test_errors_have_their_code(error: OSError, reply: SocksReply) -> None:
    assert reply_of(error) is reply
    assert encode_reply(reply)[1] == reply

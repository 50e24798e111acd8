"""What any client may say to the outbound proxy, and any proxy to our SOCKS5 client.

Always: however the octets are cut, the same is asked, answered, and passed on to the destination, which gets exactly
what followed the handshake; answers are those of SOCKS5; what is held of an unfinished handshake is bounded.
"""

import ipaddress

from cuts import octets, ways
from postroad.proxy.handshake import Event, Handshake, HandshakeRefused, PathRequested
from postroad.wire.socks5 import BindRequested, ConnectRequested, ProxyRefusedError, SocksClient, SocksError, SocksReply

HERE = ipaddress.ip_address("127.0.0.9")
LONGEST = 16 + 4096
Told = tuple[list[Event], bytes, bytes]
"""What was asked for, what was answered, what the destination gets."""


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    options, seed, stream = data[0], data[1], data[2:]
    if options & 1:
        _check_client(options, seed, stream)
        return
    told = [_told(options, parts) for parts in ways(stream, seed)]
    assert all(item == told[0] for item in told)
    asked, answered, passed = told[0]
    _check_answers(answered)
    if any(isinstance(event, ConnectRequested | PathRequested) for event in asked) and not options & 4:
        assert stream.endswith(passed)
        consumed = stream[: len(stream) - len(passed)]
        # What was consumed is the handshake and nothing else: without the rest it comes to the same.
        assert _told(options, octets(consumed)) == (asked, answered, b"")
    else:
        assert passed == b""


def _told(options: int, parts: list[bytes]) -> Told:
    """A session of the proxy's, up to the relay."""
    handshake = Handshake()
    asked: list[Event] = []
    answered = passed = b""
    connected = over = False
    held = 0
    for part in parts:
        if over:
            break
        if connected:
            passed += part
            continue
        event = handshake.receive(part)
        held = held + len(part) if event is None else 0
        assert held <= LONGEST + len(part)
        while event is not None:
            asked.append(event)
            match event:
                case BindRequested(source):
                    if options & 2:
                        handshake.fail(SocksReply.FAILURE)
                        event, over = None, True
                    else:
                        event = handshake.bound(source, 0)
                case HandshakeRefused():
                    event, over = None, True
                case _:
                    if options & 4:
                        handshake.fail(SocksReply.REFUSED)
                        over = True
                    else:
                        handshake.connected(HERE, 9)
                        connected = True
                        passed += handshake.rest()
                    event = None
        answered += handshake.data_to_send()
    return asked, answered, passed


def _check_answers(answered: bytes) -> None:
    """The choice of a method, then replies of IPv4 or IPv6 each."""
    if not answered:
        return
    assert answered[0] == 5
    at = 0
    if len(answered) < 4 or answered[2:3] == b"\x05":
        assert answered[1] in (0, 0xFF)
        at = 2
    while at < len(answered):
        version, reply, reserved, kind = answered[at : at + 4]
        assert (version, reserved) == (5, 0)
        assert reply in list(SocksReply)
        at += {1: 10, 4: 22}[kind]
    assert at == len(answered)


def _check_client(options: int, seed: int, stream: bytes) -> None:
    told = [_client_told(options, parts) for parts in ways(stream, seed)]
    assert all(item == told[0] for item in told)


def _client_told(options: int, parts: list[bytes]) -> tuple[str, bytes]:
    """How the handshake ended, and what the destination said behind it."""
    source = ipaddress.ip_address("127.0.0.2") if options & 2 else None
    client = SocksClient(source=source, destination=HERE, port=25, at_once=bool(options & 4))
    client.data_to_send()
    for number, part in enumerate(parts):
        try:
            found = client.receive(part)
        except ProxyRefusedError as error:
            return str(error), b""
        except SocksError:
            # Which octet gives it away may depend on the cut.
            return "no SOCKS5", b""
        client.data_to_send()
        if found is not None:
            return f"connected from {found.source} {found.port}", client.rest() + b"".join(parts[number + 1 :])
    return "unfinished", b""

"""SOCKS5 as KumoMTA speaks it: BIND names the source, CONNECT follows on the same connection.

This is not RFC 1928's BIND. Greeting, BIND and CONNECT may come in one segment; each is answered in turn.
"""

import errno
import ipaddress
import struct
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

VERSION = 5
_NO_AUTH = 0
_NONE_ACCEPTABLE = 0xFF
_CONNECT = 1
_BIND = 2
_IPV4 = 1
_IPV6 = 4


class SocksReply(IntEnum):
    """REP of a reply."""

    OK = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    TIMED_OUT = 6
    COMMAND_UNKNOWN = 7
    ADDRESS_UNKNOWN = 8


REPLY_TEXT = {
    SocksReply.FAILURE: "general failure",
    SocksReply.NOT_ALLOWED: "not allowed by the proxy's access rules",
    SocksReply.NETWORK_UNREACHABLE: "network unreachable",
    SocksReply.HOST_UNREACHABLE: "host unreachable",
    SocksReply.REFUSED: "connection refused",
    SocksReply.TIMED_OUT: "connection timed out",
    SocksReply.COMMAND_UNKNOWN: "command not supported",
    SocksReply.ADDRESS_UNKNOWN: "address type not supported",
}
_ERRNO = {
    errno.ENETUNREACH: SocksReply.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: SocksReply.HOST_UNREACHABLE,
    errno.ECONNREFUSED: SocksReply.REFUSED,
    errno.ETIMEDOUT: SocksReply.TIMED_OUT,
}


def reply_of(error: OSError) -> SocksReply:
    """The REP that tells of a failed bind or connect."""
    if isinstance(error, TimeoutError):
        return SocksReply.TIMED_OUT
    return _ERRNO.get(error.errno or 0, SocksReply.FAILURE)


class SocksError(ValueError):
    """The peer broke the protocol."""


@dataclass(frozen=True, slots=True)
class BindRequested:
    """Bind this source, then call `bound` or `fail`."""

    source: IpAddress


@dataclass(frozen=True, slots=True)
class ConnectRequested:
    """Connect there, then call `connected` or `fail`."""

    destination: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class SocksRefused:
    """The handshake is over: send what is left, then close."""

    reason: str


ServerEvent = BindRequested | ConnectRequested | SocksRefused


class _Step(Enum):
    GREETING = auto()
    REQUEST = auto()
    WAITING = auto()
    OVER = auto()


def _address(data: bytes) -> tuple[IpAddress, int, int] | None:
    """Address, port and length of what stands at ATYP; None if it isn't whole."""
    if not data:
        return None
    size = {_IPV4: 4, _IPV6: 16}.get(data[0])
    if size is None:
        raise SocksError(f"address type {data[0]}: only IPv4 and IPv6 are known, names are the client's to look up")
    if len(data) < 1 + size + 2:
        return None
    return ipaddress.ip_address(data[1 : 1 + size]), int.from_bytes(data[1 + size : 3 + size], "big"), 3 + size


def _encode(address: IpAddress, port: int) -> bytes:
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed + struct.pack(">H", port)


_NOWHERE = ipaddress.IPv4Address(0)


def encode_reply(reply: SocksReply, address: IpAddress = _NOWHERE, port: int = 0) -> bytes:
    """A reply; errors carry 0.0.0.0:0."""
    return bytes((VERSION, reply, 0)) + _encode(address, port)


class SocksServer:
    """A server's side of the handshake, without I/O."""

    __slots__ = ("_data", "_out", "_source", "_step")

    def __init__(self) -> None:
        self._data = b""
        self._out = b""
        self._step = _Step.GREETING
        self._source: IpAddress | None = None

    def data_to_send(self) -> bytes:
        """What to send now; given once."""
        out, self._out = self._out, b""
        return out

    def rest(self) -> bytes:
        """What the client sent behind the handshake."""
        rest, self._data = self._data, b""
        return rest

    def receive(self, data: bytes) -> ServerEvent | None:
        """Take octets; the next thing to do, if one is known."""
        self._data += data
        return self._advance()

    def bound(self, address: IpAddress, port: int) -> ServerEvent | None:
        """The source is bound."""
        self._out += encode_reply(SocksReply.OK, address, port)
        self._step = _Step.REQUEST
        return self._advance()

    def connected(self, address: IpAddress, port: int) -> None:
        """The connection stands; from here on octets are relayed, `rest` first."""
        self._out += encode_reply(SocksReply.OK, address, port)
        self._step = _Step.OVER

    def fail(self, reply: SocksReply) -> None:
        """It could not be done; send the reply, then close."""
        self._out += encode_reply(reply)
        self._step = _Step.OVER

    def _refuse(self, reply: SocksReply, reason: str) -> SocksRefused:
        self.fail(reply)
        return SocksRefused(reason)

    def _advance(self) -> ServerEvent | None:
        if self._step is _Step.GREETING:
            refused = self._greeting()
            if refused is not None:
                return refused
        return self._request() if self._step is _Step.REQUEST else None

    def _greeting(self) -> SocksRefused | None:
        data = self._data
        if data and data[0] != VERSION:
            self._step = _Step.OVER
            return SocksRefused(f"version {data[0]} instead of 5")
        if len(data) < 2 or len(data) < 2 + data[1]:
            return None
        methods = data[2 : 2 + data[1]]
        self._data = data[2 + data[1] :]
        if _NO_AUTH not in methods:
            self._out += bytes((VERSION, _NONE_ACCEPTABLE))
            self._step = _Step.OVER
            return SocksRefused("no acceptable authentication method offered")
        self._out += bytes((VERSION, _NO_AUTH))
        self._step = _Step.REQUEST
        return None

    def _request(self) -> ServerEvent | None:
        data = self._data
        if data and data[0] != VERSION:
            return self._refuse(SocksReply.FAILURE, f"request of version {data[0]}")
        if len(data) < 4:
            return None
        command = data[1]
        if command not in (_CONNECT, _BIND):
            return self._refuse(SocksReply.COMMAND_UNKNOWN, f"command {command}")
        try:
            found = _address(data[3:])
        except SocksError as error:
            return self._refuse(SocksReply.FAILURE, str(error))
        if found is None:
            return None
        address, port, size = found
        self._data = data[3 + size :]
        if command == _CONNECT:
            if self._source is not None and self._source.version != address.version:
                return self._refuse(SocksReply.FAILURE, "source and destination of different families")
            self._step = _Step.WAITING
            return ConnectRequested(address, port)
        if self._source is not None:
            return self._refuse(SocksReply.FAILURE, "BIND twice")
        self._source = address
        self._step = _Step.WAITING
        return BindRequested(address)


@dataclass(frozen=True, slots=True)
class Connected:
    """The proxy connected; `source` is the address that the destination sees before any NAT."""

    source: IpAddress
    port: int


class ProxyRefusedError(Exception):
    """The proxy said no.

    `at_connect` tells the destination's fault (the mail host is dead) from the proxy's own (the source can't be
    bound): KumoMTA counts only the latter against the proxy.
    """

    def __init__(self, reply: int, *, at_connect: bool) -> None:
        known = reply if reply in REPLY_TEXT else SocksReply.FAILURE
        step = "CONNECT" if at_connect else "BIND"
        super().__init__(f"proxy answered {step} with {reply} ({REPLY_TEXT[SocksReply(known)]})")
        self.reply = reply
        self.at_connect = at_connect


class SocksClient:
    """A client's side of the handshake, without I/O.

    Args:
        source: the address that the proxy is to bind; None leaves it to the proxy.
        at_once: send everything in one segment (one round trip), else turn by turn.
    """

    __slots__ = ("_awaited", "_data", "_steps", "answered")

    def __init__(self, *, source: IpAddress | None, destination: IpAddress, port: int, at_once: bool = True) -> None:
        steps = [bytes((VERSION, 1, _NO_AUTH))]
        self._awaited = ["greeting"]
        if source is not None:
            if source.version != destination.version:
                raise SocksError(f"source {source} and destination {destination} are of different families")
            steps.append(bytes((VERSION, _BIND, 0)) + _encode(source, 0))
            self._awaited.append("bind")
        steps.append(bytes((VERSION, _CONNECT, 0)) + _encode(destination, port))
        self._awaited.append("connect")
        self._steps = [b"".join(steps)] if at_once else steps
        self._data = b""
        self.answered = False
        """The proxy has sent something."""

    def data_to_send(self) -> bytes:
        """What to send now; to be asked for at the start and after each `receive`."""
        return self._steps.pop(0) if self._steps else b""

    def rest(self) -> bytes:
        """What the destination sent behind the handshake."""
        rest, self._data = self._data, b""
        return rest

    def receive(self, data: bytes) -> Connected | None:
        """Take octets; the end of the handshake once it is there.

        Raises:
            ProxyRefusedError: the proxy refused a step.
            SocksError: it doesn't speak this protocol.
        """
        self.answered = True
        self._data += data
        if self._data[0] != VERSION:
            raise SocksError(f"proxy speaks no SOCKS5: its first octet is {self._data[0]:#04x}")
        if self._awaited[0] == "greeting":
            if len(self._data) < 2:
                return None
            if self._data[1] != _NO_AUTH:
                raise SocksError("proxy wants credentials")
            self._data = self._data[2:]
            self._awaited.pop(0)
        while (found := self._next_reply()) is not None:
            step = self._awaited.pop(0)
            if step == "connect":
                return Connected(*found)
        return None

    def _next_reply(self) -> tuple[IpAddress, int] | None:
        data = self._data
        if data and data[0] != VERSION:
            raise SocksError("proxy broke SOCKS5")
        if len(data) < 2:
            return None
        if data[1] != SocksReply.OK:
            raise ProxyRefusedError(data[1], at_connect=self._awaited[0] == "connect")
        found = _address(data[3:])
        if found is None:
            return None
        address, port, size = found
        self._data = data[3 + size :]
        return address, port

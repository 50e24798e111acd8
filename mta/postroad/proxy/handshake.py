"""The handshake of a client with the proxy, without I/O: what it asks for, by SOCKS5 or the PROXY protocol."""

from dataclasses import dataclass

from postroad.wire.proxy_protocol import HeaderError, parse_header
from postroad.wire.socks5 import (
    BindRequested,
    ConnectRequested,
    IpAddress,
    ServerEvent,
    SocksRefused,
    SocksReply,
    SocksServer,
)


@dataclass(frozen=True, slots=True)
class PathRequested:
    """A PROXY header asks for source and destination at once; nothing is answered to it but the relayed octets."""

    source: IpAddress | None
    destination: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class HandshakeRefused:
    """Send what is left, then close."""

    reason: str


Event = BindRequested | ConnectRequested | PathRequested | HandshakeRefused


class Handshake:
    """Tells the protocol by the first octet: 0x05 SOCKS5, 0x0D PROXY v2, 0x50 PROXY v1."""

    __slots__ = ("_data", "_socks", "protocol")

    def __init__(self) -> None:
        self._data = b""
        self._socks: SocksServer | None = None
        self.protocol = "unknown"

    def data_to_send(self) -> bytes:
        """What to send now; given once."""
        return self._socks.data_to_send() if self._socks is not None else b""

    def rest(self) -> bytes:
        """What the client sent behind the handshake."""
        if self._socks is not None:
            return self._socks.rest()
        rest, self._data = self._data, b""
        return rest

    def receive(self, data: bytes) -> Event | None:
        """Take octets; the next thing to do, if one is known."""
        if self._socks is None and self.protocol == "unknown":
            match data[0]:
                case 0x05:
                    self.protocol = "socks5"
                    self._socks = SocksServer()
                case 0x0D | 0x50:
                    self.protocol = "proxy_v2" if data[0] == 0x0D else "proxy_v1"
                case octet:
                    self.protocol = "none"
                    return HandshakeRefused(f"neither SOCKS5 nor PROXY: first octet {octet:#04x}")
        if self._socks is not None:
            return self._told(self._socks.receive(data))
        self._data += data
        return self._header()

    def bound(self, address: IpAddress, port: int) -> Event | None:
        """The source is bound."""
        assert self._socks is not None
        return self._told(self._socks.bound(address, port))

    def connected(self, address: IpAddress, port: int) -> None:
        """The destination is connected."""
        if self._socks is not None:
            self._socks.connected(address, port)

    def fail(self, reply: SocksReply) -> None:
        """It could not be done."""
        if self._socks is not None:
            self._socks.fail(reply)

    def _told(self, event: ServerEvent | None) -> Event | None:
        return HandshakeRefused(event.reason) if isinstance(event, SocksRefused) else event

    def _header(self) -> Event | None:
        try:
            found = parse_header(self._data)
        except HeaderError as error:
            return HandshakeRefused(str(error))
        if found is None:
            return None
        header, size = found
        self._data = self._data[size:]
        if header.destination is None:
            return HandshakeRefused("a PROXY header that names no destination")
        source = header.source if header.source is not None and not header.source.is_unspecified else None
        return PathRequested(source, header.destination, header.destination_port)

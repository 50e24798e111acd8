"""Sockets towards destinations, bound to the source asked for."""

import asyncio
import contextlib
import ipaddress
import socket

from postroad.wire.socks5 import IpAddress

# Linux since 4.2; Python's socket module has no name for it before 3.12.
_IP_BIND_ADDRESS_NO_PORT = 24
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 240), (socket.TCP_KEEPINTVL, 30), (socket.TCP_KEEPCNT, 4))
"""Below the 350 s after which AWS's NAT forgets an idle connection."""


def bound_socket(source: IpAddress) -> socket.socket:
    """A socket that sends from `source`, its port chosen on connect.

    With the port left to connect, one source address has its 28,000 ephemeral ports per destination and not in all.

    Raises:
        OSError: the address isn't this host's.
    """
    made = open_socket(source)
    try:
        made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((str(source), 0))
    except OSError:
        made.close()
        raise
    return made


def open_socket(like: IpAddress) -> socket.socket:
    """A socket of the address's family, ready for the event loop."""
    family = socket.AF_INET if like.version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    tune(made)
    return made


def tune(made: socket.socket) -> None:
    """No delay for small segments; keepalive that holds NAT entries."""
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        made.setsockopt(socket.IPPROTO_TCP, name, value)


async def connect(made: socket.socket, destination: IpAddress, port: int, seconds: float) -> tuple[IpAddress, int]:
    """Connect; the local address and port.

    Raises:
        OSError: it can't be connected; TimeoutError after `seconds`.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        await loop.sock_connect(made, (str(destination), port))
    name = made.getsockname()
    return ipaddress.ip_address(name[0].partition("%")[0]), name[1]


def is_local(address: IpAddress) -> bool:
    """Whether the address is one of this host's: then, and only then, it can be bound."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe,
    ):
        probe.bind((str(address), 0))
        return True
    return False

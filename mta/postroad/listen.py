"""Listening sockets, made here or passed by systemd."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from postroad.settings.units import Endpoint, SystemdSocket
from postroad.systemd import SystemdError, passed_sockets

BACKLOG = 1024


class ListenError(RuntimeError):
    """An address can't be listened on."""


def listening_socket(where: Endpoint | SystemdSocket, passed: dict[str, list[socket.socket]]) -> socket.socket:
    """A socket to accept on.

    Raises:
        ListenError: the address is taken or isn't this host's.
        SystemdError: systemd passed no such socket.
    """
    if isinstance(where, SystemdSocket):
        sockets = passed.get(where.name)
        if not sockets:
            names = ", ".join(sorted(passed)) or "none"
            raise SystemdError(
                f"systemd passed no socket named {where.name!r} (passed: {names}): "
                f"set FileDescriptorName={where.name} in the .socket unit, or name an address"
            )
        return sockets.pop(0)
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((where.host, where.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(f"cannot listen on {where}: {error.strerror}") from None
    return listener


@dataclass(frozen=True, slots=True)
class Ports:
    """The sockets of an MTA: its listeners' in the order of the settings, and the admin port's."""

    listeners: list[socket.socket]
    admin: socket.socket


def open_ports(listeners: Iterable[Endpoint | SystemdSocket], admin: Endpoint | SystemdSocket) -> Ports:
    """Open all ports, or none.

    Raises:
        ListenError, SystemdError: one can't be.
    """
    passed = passed_sockets()
    opened: list[socket.socket] = []
    try:
        for where in (admin, *listeners):
            opened.append(listening_socket(where, passed))
    except (ListenError, SystemdError):
        for item in opened:
            item.close()
        raise
    return Ports(opened[1:], opened[0])

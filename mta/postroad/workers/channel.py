"""What supervisor and worker say to each other, over a socket pair that ends with either of them."""

import socket
from collections.abc import Sequence

import msgspec

_LARGEST = 1 << 16
_DESCRIPTORS = 64


class Start(msgspec.Struct, tag=True, frozen=True):
    """To a worker, first of all; the listening sockets come along, in the order of the settings."""

    number: int
    workers: int
    """Among so many its limits are shared."""
    spool: str
    retiring: bool = False
    """Take no new mail, deliver what is there."""


class AdminConnection(msgspec.Struct, tag=True, frozen=True):
    """To a worker: one end of a connection to its admin server comes along."""


class Ready(msgspec.Struct, tag=True, frozen=True):
    """From a worker: its spool is read, and mail is taken."""


class Authentication(msgspec.Struct, tag=True, frozen=True):
    """From a worker, and on to all others: a password was checked there."""

    address: str
    identity: str
    right: bool


ToWorker = Start | AdminConnection | Authentication
FromWorker = Ready | Authentication

_encode = msgspec.msgpack.Encoder().encode
_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def new_channel() -> tuple[socket.socket, socket.socket]:
    """Both ends; messages keep their bounds."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def say(channel: socket.socket, message: ToWorker | FromWorker, sockets: Sequence[socket.socket] = ()) -> None:
    """Send one message, with descriptors of sockets.

    Raises:
        OSError: the other side is gone.
    """
    socket.send_fds(channel, [_encode(message)], [item.fileno() for item in sockets])


def hear_worker(channel: socket.socket) -> FromWorker | None:
    """One message of a worker; None if it has ended. Raises BlockingIOError if there is none yet."""
    data = channel.recv(_LARGEST)
    return _from_worker(data) if data else None


def hear_supervisor(channel: socket.socket) -> tuple[ToWorker, list[socket.socket]] | None:
    """One message of the supervisor with sockets; None if it has ended. Raises BlockingIOError if there is none yet."""
    data, descriptors, _, _ = socket.recv_fds(channel, _LARGEST, _DESCRIPTORS)
    sockets = [socket.socket(fileno=fd) for fd in descriptors]
    for item in sockets:
        item.setblocking(False)
    return (_to_worker(data), sockets) if data else None

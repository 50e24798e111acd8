"""Sockets that live in another network namespace than the process that serves them."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
NETNS = Path("/run/netns")

_libc = ctypes.CDLL(None, use_errno=True)


def listen_in(namespace: str, address: str, port: int, *, backlog: int = 128) -> socket.socket:
    """A TCP socket that listens on an address of a named network namespace (setns(2), netns(7)).

    The socket keeps its namespace; only the thread that opens it enters there, and that thread ends here.

    Raises:
        OSError: the namespace doesn't exist, or the address isn't in it or is taken.
    """
    result: list[socket.socket | OSError] = []

    def open_socket() -> None:
        try:
            descriptor = os.open(NETNS / namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(descriptor, CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code), namespace)
            finally:
                os.close(descriptor)
            result.append(socket.create_server((address, port), backlog=backlog, reuse_port=False))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=open_socket, name=f"listen-in-{namespace}")
    thread.start()
    thread.join()
    opened = result[0]
    if isinstance(opened, OSError):
        raise opened
    return opened

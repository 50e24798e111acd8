"""What systemd gives and wants: passed sockets, readiness, watchdog."""

import asyncio
import os
import socket
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")
_FIRST_FD = 3


class SystemdError(RuntimeError):
    """systemd did not pass what the configuration names."""


def machine_id() -> str:
    """What tells this host from others, even if they have its address or its disk (machine-id(5)); or nothing."""
    try:
        return MACHINE_ID.read_text().strip()
    except OSError:
        return ""


def passed_sockets() -> dict[str, list[socket.socket]]:
    """The sockets that systemd passed, by name (sd_listen_fds_with_names(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    sockets: dict[str, list[socket.socket]] = {}
    for index in range(int(os.environ.get("LISTEN_FDS", "0"))):
        fd = _FIRST_FD + index
        os.set_inheritable(fd, False)
        name = names[index] if index < len(names) and names[index] else "unknown"
        passed = socket.socket(fileno=fd)
        passed.setblocking(False)
        sockets.setdefault(name, []).append(passed)
    return sockets


def notify(state: str) -> None:
    """Tell systemd something (sd_notify(3)); nothing happens where there is no systemd."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.send(state.encode())
        except OSError:
            return


class Watchdog:
    """Tells systemd twice per interval that the event loop turns; silent unless the unit asks for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        wanted = microseconds and os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval = microseconds / 2e6 if wanted else 0.0
        if self._interval:
            self._beat()

    def _beat(self) -> None:
        notify("WATCHDOG=1")
        self._loop.call_later(self._interval, self._beat)

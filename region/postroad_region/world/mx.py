"""One MX host: its listener and connections; a host that is out refuses both."""

import asyncio
import socket
import ssl

import structlog

from postroad_region.errors import RegionError
from postroad_region.world.connection import Connection
from postroad_region.world.definition.transport import MxHost, Tls
from postroad_region.world.incidents import Incidents
from postroad_region.world.mailboxes import Mailboxes
from postroad_region.world.wire import Wire

SMTP_PORT = 25
_BACKLOG = 512

log = structlog.get_logger()


class MailHost:
    """Listens on port 25 of its address.

    Args:
        kind: what its TLS is like; `tls` is what it presents, None where it presents nothing.
    """

    def __init__(
        self, mailboxes: Mailboxes, mx: MxHost, *, kind: Tls, tls: ssl.SSLContext | None, incidents: Incidents
    ) -> None:
        self._mailboxes = mailboxes
        self._kind: Tls = kind
        self._tls = tls
        self._incidents = incidents
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], Wire] = {}
        self.mx = mx

    @property
    def listens(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None

    async def open(self) -> None:
        """Take connections.

        Raises:
            RegionError: the address isn't there, or taken.
        """
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._connection, sock=_listener(self.mx.address), backlog=_BACKLOG)

    async def apply(self) -> None:
        """Be out or back, as the incidents are."""
        name = self._mailboxes.provider.name
        out = any(
            incident.how == "refuse" and incident.host in (None, self.mx.host) and not incident.sources
            for incident in self._incidents.all_of(name, "outage")
        )
        if out and self._server is not None:
            self.close()
        elif not out:
            await self.open()

    def close(self) -> None:
        """Take no connections, and cut those that are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for wire in self._connections.values():
            wire.cut()

    def _connection(self) -> Wire:
        return _Accepted(self, self._mailboxes.provider.timing.idle)

    def begin(self, wire: Wire) -> None:
        """Serve a connection that has just been made."""
        connection = Connection(
            wire, self._mailboxes, self.mx, kind=self._kind, tls=self._tls, incidents=self._incidents
        )
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[task] = wire
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        wire = self._connections.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("failed", reason=f"{type(error).__name__}: {error}")
            wire.cut()


class _Accepted(Wire):
    """A wire that begins its conversation by itself."""

    def __init__(self, host: MailHost, idle: float) -> None:
        super().__init__(idle)
        self._host = host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._host.begin(self)


def _listener(address: str) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it pipelined replies wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    try:
        listener.bind((address, SMTP_PORT))
    except OSError as error:
        listener.close()
        raise RegionError(
            f"the world can't take {address}:{SMTP_PORT}: {error.strerror}",
            remedy="restart the region's daemon, which holds the world's addresses",
        ) from error
    return listener

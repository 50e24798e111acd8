"""The proxy: its parts put together, started and stopped."""

import asyncio
import ipaddress
import os
import signal
import socket
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.admin.access import Access
from postroad.admin.http import AdminRequest, AdminRoute, AdminServer, Answer
from postroad.build import this_build
from postroad.listen import listening_socket
from postroad.metrics import ProxyMetrics
from postroad.proxy.access import AccessRules
from postroad.proxy.outbound import is_local
from postroad.proxy.relay import RelayEnd
from postroad.proxy.session import ProxySession
from postroad.settings.proxy import ProxySettings
from postroad.systemd import Watchdog, notify, passed_sockets
from postroad.wire.socks5 import IpAddress


class ProxyService:
    """One proxy in one process; `run` serves until SIGTERM."""

    def __init__(self, settings: ProxySettings, log: Any) -> None:
        self._settings = settings
        self._log = log
        self.loop = asyncio.get_running_loop()
        self.handshake_timeout = settings.listener.handshake_timeout
        self.connect_timeout = settings.listener.connect_timeout
        self.build = this_build()
        self._metrics = ProxyMetrics(self.build)
        self._handshakes: set[ProxySession] = set()
        self._relays: set[RelayEnd] = set()
        self._draining = False
        self._idle = asyncio.Event()
        self._metrics.sessions.set_function(lambda: len(self._relays))
        self.rules: AccessRules

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then accept nobody, and end when the last session has.

        Raises:
            ListenError, SystemdError: a port can't be listened on.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, stop.set)
        passed = passed_sockets()
        listening = listening_socket(self._settings.listener.address, passed)
        admin_socket = listening_socket(self._settings.admin.address, passed)
        access = self._settings.access
        self.rules = AccessRules(
            clients=access.clients,
            sources=access.sources,
            destinations=access.destinations,
            own=frozenset(_name(sock) for sock in (listening, admin_socket)),
            is_local=is_local,
        )
        operators = AdminServer(self._routes(), Access(), self._log)
        admin = await self.loop.create_server(operators.protocol, sock=admin_socket)
        server = await self.loop.create_server(lambda: ProxySession(self), sock=listening, backlog=1024)
        notify("READY=1")
        Watchdog(self.loop)
        self._log.info("started", version=self.build.version, release=self.build.release, pid=os.getpid())
        await stop.wait()
        notify("STOPPING=1")
        self._draining = True
        server.close()
        await self._drain()
        admin.close()
        self._log.info("stopped")

    async def _drain(self) -> None:
        self._log.info("draining", sessions=len(self._relays))
        if self._relays or self._handshakes:
            try:
                await asyncio.wait_for(self._idle.wait(), self._settings.shutdown.grace)
            except TimeoutError:
                self._log.warning("cut", sessions=len(self._relays))

    def _routes(self) -> dict[tuple[str, str], AdminRoute]:
        def ready(_: AdminRequest) -> Answer:
            return Answer.text("not ready: draining", 503) if self._draining else Answer.text("ready")

        def status(_: AdminRequest) -> Answer:
            return Answer.json({"sessions": len(self._relays), "draining": self._draining})

        def metrics(_: AdminRequest) -> Answer:
            return Answer(200, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST)

        build = {"version": self.build.version, "release": self.build.release}
        return {
            ("GET", "/ready"): AdminRoute(ready, open=True),
            ("GET", "/health"): AdminRoute(lambda _: Answer.text("ok"), open=True),
            ("GET", "/metrics"): AdminRoute(metrics, open=True),
            ("GET", "/build"): AdminRoute(lambda _: Answer.json(build)),
            ("GET", "/status"): AdminRoute(status),
        }

    def admit(self, session: ProxySession, client: IpAddress) -> str | None:
        """Count a new session; why it isn't taken, else None."""
        reason = self.rules.refuse_client(client)
        if reason is not None:
            self.refused("client", str(client), reason)
            return reason
        if len(self._handshakes) + len(self._relays) >= self._settings.listener.max_sessions:
            self.refused("sessions", str(client), "too many sessions")
            return "too many sessions"
        self._handshakes.add(session)
        return None

    def forget(self, session: ProxySession) -> None:
        """A session ended during its handshake."""
        self._handshakes.discard(session)
        self._look_if_idle()

    def relaying(self, session: ProxySession, end: RelayEnd, protocol: str) -> None:
        """A session's handshake is over; it lives as a relay now."""
        self._handshakes.discard(session)
        self._relays.add(end)
        self._metrics.accepted.labels(protocol).inc()

    def new_end(self, *, to_client: bool) -> RelayEnd:
        """An end of a relay; the client's own end counts as the session."""
        count = (self._metrics.octets_in if to_client else self._metrics.octets_out).inc
        return RelayEnd(count, self._ended)

    def _ended(self, end: RelayEnd) -> None:
        self._relays.discard(end)
        self._look_if_idle()

    def refused(self, what: str, client: str, reason: str) -> None:
        """Count and log a refusal."""
        self._metrics.refused.labels(what).inc()
        self._log.warning("refused", what=what, client=client, reason=reason)

    def failed(self, step: str, client: str, reason: str) -> None:
        """Count and log what could not be bound or connected."""
        self._metrics.failed.labels(step).inc()
        self._log.info("failed", step=step, client=client, reason=reason)

    def _look_if_idle(self) -> None:
        if self._draining and not self._relays and not self._handshakes:
            self._idle.set()


def _name(sock: socket.socket) -> tuple[IpAddress, int]:
    name = sock.getsockname()
    return ipaddress.ip_address(name[0].partition("%")[0]), name[1]

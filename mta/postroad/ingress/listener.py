"""A port where mail comes in, and the sessions on it."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from postroad.ingress.authenticator import Authenticator
from postroad.ingress.overload import Overload
from postroad.ingress.reception import Reception
from postroad.ingress.session import IngressSession
from postroad.metrics import MtaMetrics
from postroad.proxy.access import IpNetwork
from postroad.settings.ingress import ListenerSettings, RelaySettings
from postroad.smtp.events import CommandRefused, MessageReceived
from postroad.smtp.limits import PLAIN, Offers, ServerLimits
from postroad.smtp.parts import Budget
from postroad.smtp.sasl import Credentials
from postroad.smtp.server import ServerProtocol
from postroad.tenants.lockout import network_of
from postroad.tenants.tenant import Tenant
from postroad.tls.certificate import Certificate

_UNSENT_REPLIES = 1 << 17
"""Octets of replies that the kernel holds for a client that doesn't take them."""


class Listener:
    """Accepts connections and hands messages to the reception."""

    def __init__(
        self,
        name: str,
        settings: ListenerSettings,
        hostname: str,
        reception: Reception,
        metrics: MtaMetrics,
        *,
        tenants: Mapping[str, Tenant],
        overload: Overload,
        budget: Budget,
        certificate: Certificate | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.timeout = float(settings.command_timeout)
        self._name = name
        self._settings = settings
        self._hostname = hostname
        self._reception = reception
        self._metrics = metrics
        self._limits = ServerLimits(message_size=settings.max_message_size, recipients=settings.max_recipients)
        self.message_timeout = float(settings.message_timeout)
        self.min_rate = settings.min_rate
        self._overload = overload
        self._budget = budget
        self._sessions: set[IngressSession] = set()
        self._by_client: dict[str, int] = {}
        self._client_of = lru_cache(4096)(network_of)
        self._certificate = certificate
        self._authenticator = authenticator
        self._offers = Offers(
            starttls=settings.tls == "starttls",
            auth=settings.auth != "none",
            auth_required=settings.auth == "required",
        )
        self._server: asyncio.Server | None = None
        self._draining = False
        self._turning_away = False
        self._cut: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._tenants = tenants
        self._relay_entry = lru_cache(4096)(lambda peer: relay_entry(peer, settings.relay_from))
        self.is_balancer = lru_cache(256)(lambda peer: _within(peer, settings.proxy_from))
        if certificate is not None:
            metrics.certificate_expiry.labels(name).set_function(lambda: certificate.expires)

    async def start(self, listener: socket.socket) -> None:
        """Accept from now on."""
        # Accepted connections have it too: a client that reads no replies doesn't fill the kernel's memory either.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_REPLIES)
        self._interval = min(1.0, self.timeout / 4, self.message_timeout / 4)
        self._clock = self.loop.call_later(self._interval, self._look_at_clock)
        self._server = await self.loop.create_server(lambda: IngressSession(self), sock=listener, backlog=1024)

    def new_protocol(self, peer: str, *, probe: bool) -> ServerProtocol:
        """The state machine for a client; a load balancer's own probe sends nothing, wherever it comes from."""
        entry = None if probe else self._relay_entry(peer)
        tenant = self._tenants[entry.tenant] if entry is not None and entry.tenant is not None else None
        return ServerProtocol(
            hostname=self._hostname,
            may_relay=entry is not None,
            tenant=tenant,
            limits=self._limits,
            offers=PLAIN if probe else self._offers,
            secured=self._settings.tls == "implicit",
            budget=self._budget,
        )

    @property
    def implicit_tls(self) -> ssl.SSLContext | None:
        """What TLS is spoken with from the begin; None if it isn't."""
        return self._certificate.context if self._certificate is not None and not self._offers.starttls else None

    @property
    def starttls(self) -> ssl.SSLContext | None:
        """What TLS is spoken with after STARTTLS; None if that isn't offered."""
        return self._certificate.context if self._certificate is not None and self._offers.starttls else None

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    def admit(self, session: IngressSession) -> bytes | None:
        """Count one more session; the reply that it gets instead if it isn't taken."""
        if self._draining or self._turning_away:
            return self._refused("draining", b"4.3.2 %s is shutting down, try again" % self._hostname.encode("ascii"))
        if len(self._sessions) >= self._settings.max_sessions:
            return self._refused("sessions", b"4.3.2 too many connections, try again")
        if (shortage := self._overload.shortage()) is not None:
            return self._refused(shortage.reason, shortage.text)
        self._sessions.add(session)
        return None

    def admit_client(self, session: IngressSession) -> bytes | None:
        """Count one more session of a client, whose address is known now; the reply that it gets if it isn't taken."""
        client = self._client_of(session.peer)
        sessions = self._by_client.get(client, 0)
        if sessions >= self._settings.max_sessions_per_client:
            return self._refused("client_sessions", b"4.7.0 too many connections from your address, try again")
        self._by_client[client] = sessions + 1
        session.client = client
        return None

    def _refused(self, reason: str, text: bytes) -> bytes:
        self._metrics.refused_connections.labels(reason).inc()
        return b"421 %s\r\n" % text

    def forget(self, session: IngressSession) -> None:
        """A session ended."""
        self._sessions.discard(session)
        if client := session.client:
            left = self._by_client[client] - 1
            if left:
                self._by_client[client] = left
            else:
                del self._by_client[client]
        if self._draining and not self._sessions:
            self._empty.set()

    def message_received(self, session: IngressSession, event: MessageReceived) -> None:
        """A session has a whole message."""
        if self._overload.short_of_memory():
            self._reception.refuse(session, "memory", b"452 4.3.1 short of memory, try again later")
            return
        self._reception.receive(session, event, self._hostname)

    def header_refused(self, peer: str, reason: str) -> None:
        """A load balancer's connection didn't begin with a PROXY header."""
        self._metrics.refused.labels("proxy_header").inc()
        self._reception.header_refused(peer, reason)

    def tls_failed(self, peer: str, reason: str) -> None:
        """A handshake came to nothing."""
        self._metrics.tls_failures.labels(self._name).inc()
        self._reception.tls_failed(peer, reason)

    def authenticate(self, session: IngressSession, credentials: Credentials) -> None:
        """A client says who it is."""
        assert self._authenticator is not None
        self._authenticator.authenticate(
            credentials, session.peer, lambda answer: session.auth_done(credentials.identity, answer)
        )

    def _look_at_clock(self) -> None:
        """One timer for all sessions: cheaper than one each, and they needn't be told to the second."""
        now = self.loop.time()
        for session in list(self._sessions):
            session.look_at_clock(now)
        self._clock = self.loop.call_later(self._interval, self._look_at_clock)

    def command_refused(self, session: IngressSession, event: CommandRefused) -> None:
        """A session refused a command."""
        self._reception.command_refused(session, event)

    def turn_away(self, grace: float) -> None:
        """Say 421 to whoever is or comes here; who has a message on its way gets its reply before, within `grace`."""
        self._turning_away = True
        self._end_sessions()
        self._cut = self.loop.call_later(grace, self._abort_sessions)

    def welcome(self) -> None:
        """Take sessions again."""
        self._turning_away = False
        if self._cut is not None:
            self._cut.cancel()

    async def drain(self, grace: float) -> None:
        """Stop accepting, end sessions with 421; those with a message on its way after its reply, within `grace`."""
        self._draining = True
        if self._server is not None:
            self._server.close()
        self._end_sessions()
        if self._sessions:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), grace)
        self._abort_sessions()

    def _end_sessions(self) -> None:
        for session in list(self._sessions):
            session.drain()

    def _abort_sessions(self) -> None:
        for session in list(self._sessions):
            session.abort()


def relay_entry(peer: str, entries: Sequence[RelaySettings]) -> RelaySettings | None:
    """The entry with the smallest network that an address is in; None if it is in none."""
    found = [entry for entry in entries if _within(peer, (entry.network,))]
    return max(found, key=lambda entry: int(entry.network.prefixlen)) if found else None


def _within(peer: str, networks: Iterable[IpNetwork]) -> bool:
    address = ipaddress.ip_address(peer.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return any(address.version == net.version and address in net for net in networks)

"""A site: the ready queue of one set of mail hosts, and the connections to them."""

import asyncio
import math
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from postroad.egress.budget import ConnectionBudget
from postroad.egress.dialler import DialError, Dialler, ProxyError
from postroad.egress.session import EgressSession, Peer
from postroad.egress.source import Source
from postroad.queue.ready import ReadyQueue
from postroad.routing.cache import TtlCache
from postroad.routing.route import Route
from postroad.smtp.replies import Reply, local_reply
from postroad.spool.message import Delivery

MAX_ADDRESSES = 5
"""Addresses of a site that one attempt tries (as Postfix's smtp_mx_address_limit)."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """How connections are made and used; times in seconds."""

    starttls: bool = True
    per_site: int = 20
    per_connection: int = 500
    idle_timeout: float = 5.0


class DeliveryOwner(Protocol):
    """Who decides about deliveries; the site only carries them out."""

    def content_of(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        """Call `use` with the message's octets, now or later; with None if the delivery is no longer to be made."""

    def answered(self, delivery: Delivery, replies: tuple[Reply, ...], session: EgressSession) -> None:
        """Each recipient has its reply."""

    def unreachable(self, deliveries: list[Delivery], reply: Reply) -> None:
        """No host of the site takes connections."""

    def no_proxy(self, deliveries: list[Delivery], reason: str) -> None:
        """No outbound proxy works; nothing is known of the site."""

    def not_begun(self, delivery: Delivery) -> None:
        """A site that was told to drain won't make this delivery."""

    def site_empty(self, site: "Site") -> None:
        """Nothing waits here and no connection is open."""


def wanted_connections(waiting: int, limit: int) -> int:
    """How many connections a ready queue of this length deserves: one at first, the limit for long queues.

    The curve is KumoMTA's: it doesn't open a connection per message for a few of them.
    """
    if waiting <= 0:
        return 0
    return max(1, min(limit, math.ceil(limit * (1.0 - math.exp(-0.023 * waiting)))))


class Site:
    """Delivers what is put into it, on as many connections as the queue and the limits justify."""

    def __init__(
        self,
        route: Route,
        *,
        owner: DeliveryOwner,
        dialler: Dialler,
        budget: ConnectionBudget,
        policy: EgressPolicy,
        tls: ssl.SSLContext | None,
        broken_tls: TtlCache[str, bool],
    ) -> None:
        self.route = route
        self._owner = owner
        self._dialler = dialler
        self._budget = budget
        self._policy = policy
        self._tls = tls
        self._broken_tls = broken_tls
        self._loop = asyncio.get_running_loop()
        self._ready = ReadyQueue()
        self._sessions: set[EgressSession] = set()
        self._idle: dict[EgressSession, asyncio.TimerHandle] = {}
        self._dials: set[asyncio.Task[None]] = set()
        self._draining = False
        self._old: set[EgressSession] = set()

    @property
    def name(self) -> str:
        """The site's name."""
        return self.route.site

    @property
    def waiting(self) -> int:
        """Deliveries that wait for a connection."""
        return len(self._ready)

    @property
    def connections(self) -> int:
        """Connections open or being made."""
        return len(self._sessions) + len(self._dials)

    @property
    def busy(self) -> int:
        """Deliveries under way."""
        return sum(session.delivery is not None for session in self._sessions)

    @property
    def empty(self) -> bool:
        """Nothing waits and nothing is open."""
        return not self._ready and not self._sessions and not self._dials

    def put(self, delivery: Delivery) -> None:
        """Deliver this."""
        self._ready.append(delivery)
        if self._idle:
            session = next(reversed(self._idle))
            self._idle.pop(session).cancel()
            self._next(session)
        else:
            self._grow()

    def drain(self) -> list[Delivery]:
        """Begin nothing more until `resume`; what waited. What is under way goes on."""
        self._draining = True
        waiting = list(self._ready)
        for session, timer in list(self._idle.items()):
            timer.cancel()
            self._close(session)
        self._idle.clear()
        for dial in self._dials:
            dial.cancel()
        self._ready.clear()
        self._tell_if_empty()
        return waiting

    def withdraw(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        """Deliveries that wait for a connection and needn't any more."""
        taken = self._ready.take(wanted)
        self._tell_if_empty()
        return taken

    def renew(self) -> None:
        """Close each connection when what it does is done; sources may be used otherwise from now on."""
        self._old = set(self._sessions)
        for session, timer in list(self._idle.items()):
            timer.cancel()
            self._close_idle(session)
        self._grow()

    def resume(self) -> None:
        """Take deliveries again."""
        self._draining = False
        self._grow()

    def abort(self, *, keep_awaiting_dot: bool) -> None:
        """Cut connections; those that only wait for the reply to the message may stay."""
        for session in list(self._sessions):
            if not (keep_awaiting_dot and session.awaiting_dot):
                session.abort("shutting down")

    def session_ready(self, session: EgressSession) -> None:
        """A connection greeted; `_connect` goes on from there."""

    def session_done(self, session: EgressSession, delivery: Delivery, replies: tuple[Reply, ...]) -> None:
        """A transaction ended."""
        self._owner.answered(delivery, replies, session)
        self._next(session)

    def session_over(self, session: EgressSession, reply: Reply) -> None:
        """A connection ended."""
        if session in self._sessions:
            self._drop(session)
            self._grow()
            self._tell_if_empty()

    def _next(self, session: EgressSession) -> None:
        """Give a connection its next delivery, or let it wait for one."""
        if session not in self._sessions or not session.usable:
            return  # session_over follows or has been
        if self._draining or session in self._old or session.messages >= self._policy.per_connection:
            self._close(session)
            self._grow()
            return
        if not self._ready:
            self._idle[session] = self._loop.call_later(self._policy.idle_timeout, self._close_idle, session)
            return
        delivery = self._ready.popleft()
        content = delivery.message.content
        if content is not None:
            session.start(delivery, content)
        else:
            self._owner.content_of(delivery, lambda content: self._have_content(session, delivery, content))

    def _have_content(self, session: EgressSession, delivery: Delivery, content: tuple[bytes, ...] | None) -> None:
        if content is None:
            self._next(session)
        elif session.usable:
            session.start(delivery, content)
        elif self._draining:
            self._owner.not_begun(delivery)
        else:
            self._ready.appendleft(delivery)
            self._grow()

    def _close_idle(self, session: EgressSession) -> None:
        self._idle.pop(session, None)
        self._close(session)

    def _close(self, session: EgressSession) -> None:
        session.quit()
        self._drop(session)
        self._tell_if_empty()

    def _drop(self, session: EgressSession) -> None:
        if session in self._sessions:
            self._sessions.remove(session)
            self._old.discard(session)
            timer = self._idle.pop(session, None)
            if timer is not None:
                timer.cancel()
            self._budget.give_back()

    def _tell_if_empty(self) -> None:
        if self.empty:
            self._owner.site_empty(self)

    def _grow(self) -> None:
        """Open connections as far as the queue justifies and the limits allow."""
        if self._draining:
            return
        wanted = wanted_connections(len(self._ready), self._policy.per_site)
        while len(self._dials) < len(self._ready) and self.connections < wanted:
            if not self._budget.take(self._grow):
                return
            task = self._loop.create_task(self._connect())
            self._dials.add(task)
            task.add_done_callback(self._dial_ended)

    def _dial_ended(self, task: asyncio.Task[None]) -> None:
        self._dials.discard(task)
        if self._ready and not self._sessions and not self._dials:
            self._grow()  # nothing may wait without somebody who will serve it
        self._tell_if_empty()
        if not task.cancelled():
            task.result()

    async def _connect(self) -> None:
        """Open one connection to the best host that takes it."""
        session: EgressSession | None = None
        try:
            session = await self._open()
        except ProxyError as error:
            reason = str(error)
            self._give_up(lambda waiting: self._owner.no_proxy(waiting, reason))
        except (DialError, OSError, ValueError) as error:
            reply = local_reply(451, "4.4.1", str(error) or type(error).__name__)
            self._give_up(lambda waiting: self._owner.unreachable(waiting, reply))
        finally:
            if session is None:
                self._budget.give_back()
        if session is not None:
            self._sessions.add(session)
            if session.usable:
                self._next(session)
            else:
                self.session_over(session, local_reply(421, "4.4.2", "connection lost"))

    def _give_up(self, tell: Callable[[list[Delivery]], None]) -> None:
        """A dial failed; while another connection works or is being made, the queue is its business."""
        task = asyncio.current_task()
        if task is not None:
            self._dials.discard(task)
        if self._sessions or self._dials:
            return
        waiting = list(self._ready)
        self._ready.clear()
        if waiting:
            tell(waiting)

    async def _open(self) -> EgressSession:
        tried = 0
        problems: list[str] = []
        for group in self.route.groups:
            hosts = list(group)
            random.shuffle(hosts)
            for host in hosts:
                for address in host.addresses:
                    if tried >= MAX_ADDRESSES:
                        break
                    tried += 1
                    try:
                        return await self._open_address(host.name, address)
                    except DialError as error:
                        problems.append(str(error))
        raise DialError("; ".join(problems[-2:]) or "no addresses")

    async def _open_address(self, host: str, address: str) -> EgressSession:
        """A connection that is ready for mail; plain if TLS breaks on this host."""
        session, reply = await self._try_address(host, address, plain=self._broken_tls.get(address) is not None)
        if reply is not None and session.tls_broken:
            self._broken_tls.put(address, True, 3600.0)
            session, reply = await self._try_address(host, address, plain=True)
        if reply is not None:
            raise DialError(f"{host}[{address}]: {reply}")
        return session

    async def _try_address(self, host: str, address: str, *, plain: bool) -> tuple[EgressSession, Reply | None]:
        peer = Peer(host, address, self.route.port)
        made: list[EgressSession] = []

        def speak(source: Source) -> EgressSession:
            made.append(EgressSession(self, peer, ehlo=source.ehlo, tls=None if plain else self._tls))
            return made[-1]

        peer.source = await self._dialler.dial(address, self.route.port, speak)
        session = made[-1]
        try:
            return session, await session.opened
        except asyncio.CancelledError:
            session.abort("shutting down")
            raise

"""A site: the ready queue of one set of mail hosts, and the connections to them."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from postroad.egress.budget import ConnectionBudget
from postroad.egress.connector import Connector
from postroad.egress.dialler import DialError, ProxyError
from postroad.egress.session import EgressSession, Load
from postroad.egress.shares import PATIENCE, growth
from postroad.routing.route import Route
from postroad.smtp.replies import Reply, local_reply
from postroad.spool.message import Delivery


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """How connections are used; times in seconds."""

    per_site: int = 20
    per_connection: int = 500
    per_transaction: int = 100
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


class Site:
    """Delivers what is put into it, on as many connections as the queue and the limits justify."""

    def __init__(
        self,
        route: Route,
        *,
        owner: DeliveryOwner,
        connector: Connector,
        budget: ConnectionBudget,
        policy: EgressPolicy,
    ) -> None:
        self.route = route
        self._owner = owner
        self._connector = connector
        self._budget = budget
        self._policy = policy
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Delivery] = deque()
        self._sessions: set[EgressSession] = set()
        self._parked: set[EgressSession] = set()
        self._idle: dict[EgressSession, asyncio.TimerHandle] = {}
        self._dials: dict[asyncio.Task[None], float] = {}
        self._finished = 0
        self._gave_up = False
        self._looking: asyncio.Handle | None = None
        self._draining = False

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
        return sum(len(load) for session in self._sessions for load in session.loads)

    @property
    def empty(self) -> bool:
        """Nothing waits and nothing is open."""
        return not self._ready and not self._sessions and not self._dials

    def put(self, delivery: Delivery) -> None:
        """Deliver this."""
        most = self._policy.per_transaction
        if len(delivery.recipients) > most:
            indexes = delivery.recipients
            parts = [list(indexes[first : first + most]) for first in range(0, len(indexes), most)]
            self._ready.extend(delivery.split(parts))
        else:
            self._ready.append(delivery)
        if len(delivery.message.deliveries) == 1:
            self._look()
        elif self._looking is None:
            # The message's other deliveries may come at once, and go in the same transaction.
            self._looking = self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Somebody is to serve what is ready."""
        self._looking = None
        while self._idle and self._ready:
            self._next(self._wake(next(reversed(self._idle))))
        if self._ready:
            self.grow()

    def drain(self) -> list[Delivery]:
        """Begin nothing more until `resume`; what waited. What is under way goes on."""
        self._draining = True
        waiting = list(self._ready)
        for session in list(self._idle):
            self._close(self._wake(session))
        for dial in self._dials:
            dial.cancel()
        self._ready.clear()
        self._tell_if_empty()
        return waiting

    def resume(self) -> None:
        """Take deliveries again."""
        self._draining = False
        self.grow()

    def abort(self, *, keep_awaiting_dot: bool) -> None:
        """Cut connections; those that wait for the reply to a message may stay until it is here."""
        for session in list(self._sessions):
            if keep_awaiting_dot and session.awaiting_dot:
                session.leave()
            else:
                session.give_up("shutting down")

    def session_wants_next(self, session: EgressSession) -> None:
        """A message's content is about to go: let the next one go with it."""
        if self._ready and not session.fetching and self._goes_on(session) and session.usable:
            self._give(session)

    def session_done(self, session: EgressSession, load: Load, replies: tuple[Reply, ...]) -> None:
        """A transaction ended."""
        if not replies[0].local:
            self._finished += 1
            self._gave_up = False
        self._connector.answered(session, taken=any(reply.positive for reply in replies))
        if len(load) == 1:
            self._owner.answered(load[0], replies, session)
        else:
            first = 0
            for delivery in load:
                after = first + len(delivery.recipients)
                self._owner.answered(delivery, replies[first:after], session)
                first = after
        self._next(session)

    def session_not_begun(self, session: EgressSession, load: Load) -> None:
        """A transaction never was one: it goes by another connection, before all others."""
        self._put_back(load)

    def session_over(self, session: EgressSession, reply: Reply) -> None:
        """A connection ended."""
        if session in self._sessions:
            self._connector.ended(session)
            self._drop(session)
            self.grow()
            self._tell_if_empty()

    def _put_back(self, load: Iterable[Delivery]) -> None:
        if self._draining:
            for delivery in load:
                self._owner.not_begun(delivery)
        else:
            self._ready.extendleft(reversed(tuple(load)))

    def _goes_on(self, session: EgressSession) -> bool:
        """Whether a connection may have another message."""
        return not (
            self._draining
            or session.messages >= self._policy.per_connection
            or session in self._parked
            or self._budget.must_yield(self, session.messages)
        )

    def _next(self, session: EgressSession) -> None:
        """Give a connection its next load, or let it wait for one."""
        if session not in self._sessions or session.loads or session.fetching or not session.usable:
            return  # busy, or session_over follows or has been
        if not self._goes_on(session):
            self._close(session)
            self.grow()
        elif self._ready:
            self._give(session)
        else:
            self._idle[session] = self._loop.call_later(self._policy.idle_timeout, self._close_idle, session)
            self._budget.idle(session, lambda: self._close_idle(session))

    def _give(self, session: EgressSession) -> None:
        load = self._take_load()
        content = load[0].message.content
        if content is not None:
            session.start(load, content)
        else:
            session.fetching = True
            self._owner.content_of(load[0], lambda content: self._have_content(session, load, content))

    def _take_load(self) -> Load:
        """The first delivery that is ready, and those right behind it that are of the same message."""
        ready = self._ready
        first = ready.popleft()
        message = first.message
        if not ready or ready[0].message is not message:
            return (first,)
        load = [first]
        room = self._policy.per_transaction - len(first.recipients)
        while ready and ready[0].message is message and len(ready[0].recipients) <= room:
            room -= len(ready[0].recipients)
            load.append(ready.popleft())
        return tuple(load)

    def _have_content(self, session: EgressSession, load: Load, content: tuple[bytes, ...] | None) -> None:
        session.fetching = False
        if content is not None and not self._draining and session.usable:
            session.start(load, content)
            return
        self._put_back(load if content is not None else load[1:])
        self._next(session)
        self.grow()
        self._tell_if_empty()

    def _wake(self, session: EgressSession) -> EgressSession:
        """A connection that waited for something to do does so no longer."""
        self._idle.pop(session).cancel()
        self._budget.busy(session)
        return session

    def _close_idle(self, session: EgressSession) -> None:
        self._close(self._wake(session))

    def _close(self, session: EgressSession) -> None:
        session.quit()
        self._connector.ended(session)
        self._drop(session)
        self._tell_if_empty()

    def _drop(self, session: EgressSession) -> None:
        self._sessions.discard(session)
        if session in self._idle:
            self._wake(session)
        if session in self._parked:
            self._parked.discard(session)
        else:
            self._budget.give_back(self)

    def _tell_if_empty(self) -> None:
        if self.empty:
            self._budget.forget(self)
            self._owner.site_empty(self)

    def stalls(self, now: float) -> bool:
        """Whether it was asked, and hasn't answered anything for a while, on any of its connections."""
        if self._gave_up:
            return True
        waits = [session.last_progress for session in self._sessions if session.loads] + list(self._dials.values())
        return bool(waits) and now - max(waits) > PATIENCE

    def shed(self, count: int) -> int:
        """Give up connections on which nothing gets on; what was not yet sent goes to the next one that there will be.

        A message that is sent is waited for, as cutting it off may make a duplicate. Its connection isn't counted any
        more: there are never more of these than the budget has connections.
        """
        self._finished = 0
        self._gave_up = True
        given = 0
        for dial in list(self._dials)[: count - given]:
            dial.cancel()
            given += 1
        for session in [session for session in self._sessions if session not in self._parked][: count - given]:
            if session.awaiting_dot:
                self._parked.add(session)
                self._budget.give_back(self)
            else:
                session.give_up("others wait")
            given += 1
        return given

    def take_back(self, now: float, *, limit: float) -> int:
        """End what got nowhere for `limit` seconds, however that may be; how many deliveries that were.

        Nothing but a fault in this program keeps a connection for longer than its timeouts.
        """
        lost = [session for session in self._sessions if session.loads and now - session.last_progress > limit]
        count = sum(len(load) for session in lost for load in session.loads)
        for session in lost:
            loads = list(session.loads)
            session.forsake()
            self._drop(session)
            reply = local_reply(451, "4.4.2", f"nothing happened for {limit:.0f} s")
            for delivery in (delivery for load in loads for delivery in load):
                self._owner.answered(delivery, (reply,) * len(delivery.recipients), session)
        for dial, since in list(self._dials.items()):
            if now - since > limit:
                dial.cancel()
                count += 1
        if lost:
            self.grow()
            self._tell_if_empty()
        return count

    def grow(self) -> None:
        """Open connections as far as the queue justifies and the limits allow."""
        if self._draining:
            return
        wanted = growth(len(self._ready), self._finished, limit=self._policy.per_site)
        while len(self._dials) < len(self._ready) and self.connections < wanted:
            if not self._budget.take(self):
                return
            task = self._loop.create_task(self._connect())
            self._dials[task] = self._loop.time()
            task.add_done_callback(self._dial_ended)

    def _dial_ended(self, task: asyncio.Task[None]) -> None:
        if self._dials.pop(task, None) is not None and task.cancelled():
            self._budget.give_back(self)  # it was cancelled before its first step
        if self._ready and not self._sessions and not self._dials:
            self.grow()  # nothing may wait without somebody who will serve it
        self._tell_if_empty()
        if not task.cancelled():
            task.result()

    async def _connect(self) -> None:
        """Open one connection to the best host that takes it."""
        session: EgressSession | None = None
        task = asyncio.current_task()
        assert task is not None
        try:
            session = await self._connector.open(self.route, self)
        except ProxyError as error:
            reason = str(error)
            self._give_up(task, lambda waiting: self._owner.no_proxy(waiting, reason))
        except (DialError, OSError, ValueError) as error:
            reply = local_reply(451, "4.4.1", str(error) or type(error).__name__)
            self._give_up(task, lambda waiting: self._owner.unreachable(waiting, reply))
        finally:
            self._dials.pop(task, None)
            if session is None:
                self._budget.give_back(self)
        if session is not None:
            self._sessions.add(session)
            if session.usable:
                self._next(session)
            else:
                self.session_over(session, local_reply(421, "4.4.2", "connection lost"))

    def _give_up(self, task: "asyncio.Task[None]", tell: Callable[[list[Delivery]], None]) -> None:
        """A dial failed; while another connection works or is being made, the queue is its business."""
        self._dials.pop(task, None)
        if self._sessions or self._dials:
            return
        waiting = list(self._ready)
        self._ready.clear()
        if waiting:
            tell(waiting)

"""The connector: opens a connection to the best of a route's hosts that takes one."""

import asyncio
import itertools
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from postroad.egress.dialler import DialError, Dialler
from postroad.egress.hosts import HostMemory
from postroad.egress.session import EgressSession, Peer, SessionOwner
from postroad.egress.source import Source
from postroad.routing.route import Route
from postroad.smtp.replies import Reply

MAX_ADDRESSES = 5
"""Addresses of a site that one attempt tries (as Postfix's smtp_mx_address_limit)."""

OPEN_LIMIT = 600.0
"""Seconds for all of them: two hosts that take all the time they may for their greeting (RFC 5321 4.5.3.2.1)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address to try."""

    host: str
    address: str


def plan(
    route: Route,
    *,
    reaches: Callable[[str], bool],
    down: Callable[[str], bool],
    shuffle: Callable[[list[Candidate]], None] = random.shuffle,
) -> list[Candidate]:
    """The addresses to try, in order: by preference, at random within one (RFC 5321 5.1), families in turn.

    Args:
        reaches: whether there is a source of the address's family.
        down: whether it took no connection a moment ago; if all did, one is tried, so that a host that is back is
            found, and a dead site costs one wait and not one for each address.
    """
    candidates: list[Candidate] = []
    for group in route.groups:
        members = [Candidate(host.name, item) for host in group for item in host.addresses if reaches(item)]
        shuffle(members)
        families = [[item for item in members if (":" in item.address) is six] for six in (True, False)]
        turns = itertools.zip_longest(*families)
        candidates += [item for turn in turns for item in turn if item is not None]
    up = [candidate for candidate in candidates if not down(candidate.address)]
    return up[:MAX_ADDRESSES] or candidates[:1]


class Connector:
    """Opens sessions.

    Args:
        tls: for STARTTLS; None never asks for it.
        overlap: let messages overlap on a connection where the host can.
        chunk_limit: octets of the largest message that may go by BDAT.
    """

    def __init__(
        self,
        dialler: Dialler,
        hosts: HostMemory,
        *,
        tls: ssl.SSLContext | None,
        overlap: bool = True,
        chunk_limit: int = 0,
    ) -> None:
        self._dialler = dialler
        self._tls = tls
        self._overlap = overlap
        self._chunk_limit = chunk_limit
        self.hosts = hosts

    async def open(self, route: Route, owner: SessionOwner) -> EgressSession:
        """A session that is ready for mail, or was so a moment ago.

        Raises:
            DialError: no host takes a connection.
            ProxyError: no proxy can be used.
        """
        hosts = self.hosts
        problems: list[str] = []
        candidates = plan(
            route,
            reaches=self._dialler.reaches,
            down=lambda address: hosts.unreachable(address) is not None,
        )
        try:
            async with asyncio.timeout(OPEN_LIMIT):
                for candidate in candidates:
                    try:
                        session = await self._open(candidate, route.port, owner)
                    except DialError as error:
                        hosts.failed(candidate.address, str(error))
                        problems.append(str(error))
                    else:
                        hosts.reached(candidate.address)
                        return session
        except TimeoutError:
            problems.append(f"no greeting within {OPEN_LIMIT:.0f} s")
        raise DialError("; ".join(problems[-2:]) or "no address of a family that a source has")

    async def _open(self, candidate: Candidate, port: int, owner: SessionOwner) -> EgressSession:
        """A connection that is ready for mail; plain if TLS breaks on this host."""
        hosts, address = self.hosts, candidate.address
        session, reply = await self._try(candidate, port, owner, plain=hosts.plain(address))
        if reply is not None and session.tls_broken:
            hosts.tls_broke(address)
            session, reply = await self._try(candidate, port, owner, plain=True)
        if reply is not None:
            raise DialError(f"{candidate.host}[{address}]: {reply}")
        return session

    async def _try(
        self, candidate: Candidate, port: int, owner: SessionOwner, *, plain: bool
    ) -> tuple[EgressSession, Reply | None]:
        hosts, address = self.hosts, candidate.address
        peer = Peer(candidate.host, address, port)
        made: list[EgressSession] = []

        def speak(source: Source) -> EgressSession:
            made.append(
                EgressSession(
                    owner,
                    peer,
                    ehlo=source.ehlo,
                    tls=None if plain else self._tls,
                    overlap=self._overlap and hosts.overlaps(address),
                    chunk_limit=self._chunk_limit,
                    chunking=hosts.chunks(address),
                )
            )
            return made[-1]

        peer.source = await self._dialler.dial(address, port, speak)
        session = made[-1]
        try:
            return session, await session.opened
        except asyncio.CancelledError:
            session.abort("shutting down")
            raise

    def answered(self, session: EgressSession, *, taken: bool) -> None:
        """A host took a message, or refused all its recipients."""
        protocol = session.protocol
        if self._chunk_limit and protocol.chunking is not taken:
            self.hosts.accepts(session.peer.address, taken=taken)
            protocol.chunking = self.hosts.chunks(session.peer.address)

    def ended(self, session: EgressSession) -> None:
        """A session is over: remember what it showed of its host."""
        hosts, protocol, address = self.hosts, session.protocol, session.peer.address
        if protocol.overlap_broken:
            hosts.overlap_failed(address)
        elif protocol.overlap_works:
            hosts.overlap_worked(address)
        if protocol.chunking_broken:
            hosts.chunking_broke(address)

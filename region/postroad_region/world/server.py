"""The world's process: every MX host of every provider, the ledger, and HTTP to ask."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import structlog

from postroad_region.ca import ensure_authority
from postroad_region.errors import RegionError
from postroad_region.world.certificates import tls_context
from postroad_region.world.definition import World, load_world
from postroad_region.world.http import BadRequestError, Request, Response, serve
from postroad_region.world.ledger import ACCEPTED, Ledger, Query, Verdict
from postroad_region.world.lookups import Lookups
from postroad_region.world.provider import Mailboxes, ProviderSmtp

_SMTP_PORT = 25
_LISTING_KEYS = frozenset({"provider", "verdict", "campaign", "batch", "source", "since"})

log = structlog.get_logger()


class Internet:
    """All providers of a world over one ledger.

    Args:
        state: gets `ledger.jsonl` and `tls/`.
        ca: the folder of the box's authority; made when missing.
        dns: address of the resolver for SPF and DKIM.
    """

    def __init__(self, world: World, *, state: Path, ca: Path, dns: str) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._world = world
        self._state = state
        self._authority = ensure_authority(ca)
        lookups = Lookups(dns)
        self._mailboxes = {
            provider.name: Mailboxes(provider, hour=world.hour, resolver=lookups) for provider in world.providers
        }
        self.ledger = Ledger(state / "ledger.jsonl", replay=self._replay)
        for mailboxes in self._mailboxes.values():
            mailboxes.record_in(self.ledger)

    async def listen(self) -> list[asyncio.Server]:
        """Take mail on port 25 of every MX host's address."""
        loop = asyncio.get_running_loop()
        servers = []
        for provider in self._world.providers:
            for mx in provider.mx:
                tls = tls_context(provider, mx.host, authority=self._authority, folder=self._state / "tls")
                mailboxes, host = self._mailboxes[provider.name], mx.host

                def connection(
                    mailboxes: Mailboxes = mailboxes, host: str = host, tls: object = tls
                ) -> asyncio.BaseProtocol:
                    return ProviderSmtp(mailboxes, host, tls)  # type: ignore[arg-type]

                servers.append(await loop.create_server(connection, sock=_listener(mx.address), backlog=512))
        return servers

    async def respond(self, request: Request) -> Response:
        """The HTTP interface.

        * `GET /health`
        * `GET /counts`: verdicts by provider and source, copies accepted by batch
        * `GET /messages?provider=&verdict=&batch=&campaign=&source=&since=`: a line of JSON for each verdict
        * `GET /sends/<batch>`: what became of one batch of `make send`
        * `POST /reset`
        """
        match request.method, request.path.split("/")[1:]:
            case "GET", ["health"]:
                return Response(content={"ready": True, "providers": [each.name for each in self._world.providers]})
            case "GET", ["counts"]:
                return Response(content=self.ledger.counts.table([each.name for each in self._world.providers]))
            case "GET", ["messages"]:
                return Response(lines=self._lines(_query(request.query)))
            case "GET", ["sends", batch] if batch:
                return Response(content=await summary(self.ledger, batch))
            case "POST", ["reset"]:
                self.ledger.clear()
                for mailboxes in self._mailboxes.values():
                    mailboxes.clear()
                log.info("reset")
                return Response(content={"reset": True})
        return Response(HTTPStatus.NOT_FOUND, {"error": f"{request.method} {request.path}: there is no such thing"})

    async def _lines(self, query: Query) -> AsyncIterator[bytes]:
        for page in self.ledger.pages(query):
            if page:
                yield b"".join(verdict.line() for verdict in page)
            await asyncio.sleep(0)

    def _replay(self, verdict: Verdict) -> None:
        if (mailboxes := self._mailboxes.get(verdict.provider)) is not None:
            mailboxes.replay(verdict)


async def summary(ledger: Ledger, batch: str) -> dict[str, object]:
    """How many copies of one batch were accepted, how many different ones, and the first hundred that came twice."""
    copies: dict[str, int] = {}
    for page in ledger.pages(Query(batch=batch, verdict=ACCEPTED)):
        for verdict in page:
            key = f"{verdict.send} {verdict.recipient}"
            copies[key] = copies.get(key, 0) + 1
        await asyncio.sleep(0)
    twice = {key: count for key, count in copies.items() if count > 1}
    return {
        "batch": batch,
        "copies": sum(copies.values()),
        "distinct": len(copies),
        "duplicates": sum(twice.values()) - len(twice),
        "twice": dict(sorted(twice.items())[:100]),
    }


async def run(*, file: Path, state: Path, ca: Path, http: str, dns: str) -> None:
    """Be the world until SIGTERM or SIGINT; connections are cut then, what was answered is in the ledger."""
    world = load_world(file)
    internet = Internet(world, state=state, ca=ca, dns=dns)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        for server in [*await internet.listen(), await serve(http, internet.respond)]:
            stack.callback(server.close)
        log.info("serving", providers=[each.name for each in world.providers], http=http, dns=dns)
        _notify("READY=1")
        await stop.wait()
        _notify("STOPPING=1")
        log.info("stopping")


def _listener(address: str) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it pipelined replies wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setblocking(False)
    try:
        listener.bind((address, _SMTP_PORT))
    except OSError as error:
        listener.close()
        raise RegionError(f"the world can't take {address}:{_SMTP_PORT}: {error.strerror}") from error
    return listener


def _query(given: dict[str, str]) -> Query:
    if unknown := given.keys() - _LISTING_KEYS:
        raise BadRequestError(f"{sorted(unknown)[0]} is none of {', '.join(sorted(_LISTING_KEYS))}")
    try:
        since = float(given["since"]) if "since" in given else None
    except ValueError:
        raise BadRequestError(f"since: {given['since']!r} is no number of seconds since the epoch") from None
    texts = {name: value for name, value in given.items() if name != "since"}
    return Query(**texts, since=since)


def _notify(state: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.sendto(state.encode(), path)

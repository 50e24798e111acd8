"""The MTA: its parts put together, started and stopped."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from postroad.admin.drain import drain_routes
from postroad.admin.http import AdminServer
from postroad.admin.mta import mta_routes
from postroad.build import this_build
from postroad.content.dkim import DkimKey
from postroad.drain.client import PeerClient
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.drain.wire import max_batch_size
from postroad.egress.budget import ConnectionBudget
from postroad.egress.dialler import Dialler, DirectDialler, ProxyDialler
from postroad.egress.site import EgressPolicy, Site
from postroad.ingress.doors import Doors
from postroad.ingress.listener import Listener
from postroad.ingress.reception import Reception
from postroad.listen import listening_socket
from postroad.long_lived import LongLived
from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.order_book import OrderBook
from postroad.queue.resident import ResidentContent
from postroad.queue.retry import RetryPolicy
from postroad.routing.cache import TtlCache
from postroad.routing.dns import Resolver
from postroad.routing.mx import MxRouter
from postroad.routing.route import Route, Router
from postroad.routing.smart_host import SmartHostRouter
from postroad.settings.mta import EgressSettings, MtaSettings
from postroad.smtp.client import TIMEOUTS
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.systemd import Watchdog, machine_id, notify, passed_sockets

EXIT_DISK = 74
"""EX_IOERR: a write or sync of the spool failed."""
_ADDED_FIELDS = 64 << 10
"""Octets that trace fields and signatures may add to a message."""


def load_keys(settings: MtaSettings) -> dict[bytes, list[DkimKey]]:
    """The DKIM keys by domain.

    Raises:
        KeyFileError: a file can't be used.
    """
    keys: dict[bytes, list[DkimKey]] = {}
    for item in settings.dkim.keys:
        key = DkimKey.load(item.domain, item.selector, item.file)
        keys.setdefault(item.domain.lower().encode(), []).append(key)
    return keys


class Mta:
    """One MTA in one process.

    Construction takes the spool and reads its log; `run` serves until SIGTERM.

    Raises:
        SpoolInUseError, OSError, KeyFileError: as their parts do.
    """

    def __init__(self, settings: MtaSettings, log: Any) -> None:
        self._settings = settings
        self._log = log
        self._loop = asyncio.get_running_loop()
        self.build = this_build()
        self.metrics = MtaMetrics(self.build)
        self._draining = False
        self._recovered = False
        first = next(iter(settings.listeners.values()))
        self._hostname = first.hostname or socket.gethostname()
        keys = load_keys(settings)
        self.spool = Spool(
            settings.spool.path,
            fatal=self._disk_failed,
            segment_size=settings.spool.segment_size,
            min_free=settings.spool.min_free,
        )
        retry = settings.retry
        orders = OrderBook(self.spool, [source.name for source in settings.egress.all_sources(self._hostname)])
        self.dispatcher = Dispatcher(
            spool=self.spool,
            router=_router(settings),
            new_site=self._site_factory(settings.egress, orders),
            policy=RetryPolicy(retry.first_delay, retry.max_delay, retry.max_age),
            bouncer=Bouncer(self.spool, self._submit, hostname=self._hostname, log=log),
            resident=ResidentContent(settings.egress.content_memory),
            metrics=self.metrics,
            log=log,
            orders=orders,
        )
        self._reception = Reception(self.spool, self._submit, keys=keys, metrics=self.metrics, log=log)
        self._listeners: list[Listener] = []
        identity = SpoolIdentity(settings.spool.path)
        self.drainer = self._new_drainer(identity)
        self._receiver = self._new_receiver(identity)

    def _new_drainer(self, identity: SpoolIdentity) -> Drainer:
        settings = self._settings
        grace = settings.shutdown.grace
        token = _token(settings.drain.token_file or settings.admin.token_file)
        return Drainer(
            self.spool,
            identity,
            self.dispatcher,
            Doors(self._listeners, grace),
            settings=settings.drain,
            host=machine_id(),
            cut_after=grace,
            connect=lambda target: PeerClient(target, token=token, timeout=settings.drain.timeout),
            metrics=self.metrics,
            log=self._log,
        )

    def _new_receiver(self, identity: SpoolIdentity) -> Receiver:
        return Receiver(
            self.spool,
            identity,
            lambda message: self.dispatcher.restore([message]),
            not_taking=self._not_taking,
            stopping=lambda: self._draining,
            max_message=self._max_message,
            max_batch=self._settings.drain.batch_octets,
            metrics=self.metrics,
            log=self._log,
        )

    @property
    def _max_message(self) -> int:
        """Octets of the largest message that another MTA may hand over: what added fields make of the largest here."""
        return max(listener.max_message_size for listener in self._settings.listeners.values()) + _ADDED_FIELDS

    def _submit(self, message: Any) -> None:
        self.dispatcher.submit(message)

    def _site_factory(self, egress: EgressSettings, orders: OrderBook) -> Callable[[Route, Dispatcher], Site]:
        policy = EgressPolicy(
            per_site=egress.max_connections_per_site,
            per_connection=egress.max_messages_per_connection,
            idle_timeout=egress.idle_timeout,
        )
        dialler = _dialler(egress, self._hostname, orders)
        budget = self._budget = ConnectionBudget(egress.max_connections)
        tls = _tls_context() if egress.starttls else None
        broken_tls: TtlCache[str, bool] = TtlCache(size=10_000, clock=self._loop.time)

        def new_site(route: Route, owner: Dispatcher) -> Site:
            return Site(
                route, owner=owner, dialler=dialler, budget=budget, policy=policy, tls=tls, broken_tls=broken_tls
            )

        return new_site

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop without losing anything.

        Raises:
            ListenError, SystemdError: a port can't be listened on.
        """
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        passed = passed_sockets()
        admin = await self._start_admin(passed)
        await self._start_listeners(passed)
        Watchdog(self._loop)
        LongLived(self._loop, lambda: len(self.spool.messages))
        # New mail is taken meanwhile, and delivered.
        taking_up = self._loop.create_task(self._take_up())
        stopped = self._loop.create_task(stop.wait())
        await asyncio.wait((taking_up, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not taking_up.cancel():
            taking_up.result()
            notify("READY=1")
            self._log.info("started", version=self.build.version, release=self.build.release, pid=os.getpid())
        await stopped
        await self._stop()
        admin.close()

    def not_ready(self) -> str | None:
        """Why no mail should be sent here; None if it should."""
        if self._draining or self.drainer.draining:
            return "draining"
        if not self._recovered:
            return "reading the spool"
        if not self.spool.has_room():
            return "no room in the spool"
        return None

    def _not_taking(self) -> tuple[int, str] | None:
        """Why another MTA's messages aren't taken, with the status that says so; None if they are."""
        if self.drainer.draining:
            return 409, "is draining itself"
        if self._draining or not self._recovered:
            return 503, "is starting or shutting down"
        if not self.spool.has_room():
            return 507, "has no room in its spool"
        return None

    def update_metrics(self) -> None:
        """Set the gauges that are cheaper read than kept."""
        self.metrics.spool_octets.set(self.spool.octets)
        self.metrics.commits.set(self.spool.commits)
        self.metrics.sessions.labels("out").set(self._budget.used)

    async def _start_admin(self, passed: dict[str, list[socket.socket]]) -> asyncio.Server:
        settings = self._settings.admin
        largest = max_batch_size(self._settings.drain.batch_octets, self._max_message)
        routes = mta_routes(self) | drain_routes(self.drainer, self._receiver, max_batch=largest)
        server = AdminServer(routes, token=_token(settings.token_file))
        return await self._loop.create_server(server.protocol, sock=listening_socket(settings.address, passed))

    async def _start_listeners(self, passed: dict[str, list[socket.socket]]) -> None:
        sockets = [listening_socket(item.address, passed) for item in self._settings.listeners.values()]
        for settings, listening in zip(self._settings.listeners.values(), sockets, strict=True):
            hostname = settings.hostname or self._hostname
            listener = Listener(settings, hostname, self._reception, self.metrics)
            await listener.start(listening)
            self._listeners.append(listener)

    async def _take_up(self) -> None:
        """Put what the log held into the queue."""
        recovered = self.spool.recovered
        messages = await self.spool.recover()
        for damage in recovered.damage:
            self._log.warning("spool_damage", where=str(damage), kept=str(self.spool.folder / "damaged"))
        if recovered.records:
            self._log.info("recovered", messages=len(messages), records=recovered.records)
        self.drainer.take_up(messages)
        self._recovered = True

    async def _stop(self) -> None:
        self._draining = True
        notify("STOPPING=1")
        began = time.monotonic()
        self._log.info("stopping", queued=len(self.dispatcher.messages))
        await self.drainer.stop()
        grace = self._settings.shutdown.grace
        await asyncio.gather(
            *(listener.drain(grace) for listener in self._listeners),
            self.dispatcher.drain(grace, TIMEOUTS["dot"]),
        )
        await self.spool.close()
        self._log.info("stopped", queued=len(self.dispatcher.messages), seconds=round(time.monotonic() - began, 3))

    def _disk_failed(self, error: OSError) -> None:
        """The log's state on disk is unknown: answer nobody any more. The next start reads what is there."""
        self._log.critical("spool_failed", error=str(error), remedy="check the disk, then start again")
        os._exit(EXIT_DISK)


def _token(file: Path | None) -> str | None:
    return file.read_text().strip() if file is not None else None


def _router(settings: MtaSettings) -> Router:
    loop = asyncio.get_running_loop()
    servers = [(server.host, server.port) for server in settings.dns.servers]
    lookup = Resolver(servers, timeout=settings.dns.timeout)
    if (smart_host := settings.routing.smart_host) is not None:
        return SmartHostRouter(smart_host.host, smart_host.port, lookup=lookup)
    return MxRouter(lookup, clock=loop.time, port=settings.routing.port)


def _dialler(egress: EgressSettings, hostname: str, orders: OrderBook) -> Dialler:
    sources = egress.all_sources(hostname)
    if sources[0].proxies:
        return ProxyDialler(
            sources,
            proxy_timeout=egress.proxy_timeout,
            # The proxy's own limit is 60 s; its answer tells more than our giving up would.
            timeout=max(egress.connect_timeout, 65.0),
            usable=orders.source_open,
        )
    return DirectDialler(sources, timeout=egress.connect_timeout, usable=orders.source_open)


def _tls_context() -> ssl.SSLContext:
    """Opportunistic TLS: any certificate will do, for the alternative is no TLS at all (RFC 7435)."""
    # Not the default context: authorities that nobody asks would take 4 MB of memory.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

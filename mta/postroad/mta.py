"""The MTA: its parts put together, started and stopped."""

import asyncio
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from postroad.admin.api import admin_routes
from postroad.admin.drain import drain_handlers
from postroad.admin.http import AdminServer
from postroad.admin.messages import message_handlers
from postroad.admin.mta import mta_handlers
from postroad.admin.orders import order_handlers
from postroad.build import this_build
from postroad.content.key_ring import KeyRing
from postroad.content.signer import Signer
from postroad.drain.client import PeerClient
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.drain.wire import max_batch_size
from postroad.egress.budget import ConnectionBudget
from postroad.egress.connector import Connector
from postroad.egress.dialler import Dialler, DirectDialler, ProxyDialler
from postroad.egress.hosts import HostMemory
from postroad.egress.site import EgressPolicy, Site
from postroad.egress.watchdog import DeliveryWatchdog
from postroad.ingress.doors import Doors
from postroad.ingress.entrance import Entrance
from postroad.ingress.listener import Listener
from postroad.ingress.reception import Reception
from postroad.listen import Ports
from postroad.long_lived import LongLived
from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer, NoticePolicy
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.order_book import OrderBook
from postroad.queue.resident import ResidentContent
from postroad.queue.retry import RetryPolicy
from postroad.routing.dns import Resolver
from postroad.routing.mx import MxRouter
from postroad.routing.route import Route, Router
from postroad.routing.smart_host import SmartHostRouter
from postroad.settings.mta import EgressSettings, MtaSettings, families
from postroad.smtp.client import TIMEOUTS
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.systemd import Watchdog, machine_id, notify

EXIT_DISK = 74
"""EX_IOERR: a write or sync of the spool failed."""
_ADDED_FIELDS = 64 << 10
"""Octets that trace fields and signatures may add to a message."""


def load_keys(settings: MtaSettings) -> KeyRing:
    """The DKIM keys.

    Raises:
        KeyFileError: a file can't be used.
    """
    tenants = settings.all_tenants().values()
    return KeyRing(
        settings.dkim.files(),
        settings.dkim.folder,
        owned=lambda domain: any(tenant.owns(domain) for tenant in tenants),
    )


class Mta:
    """One MTA in one process.

    Construction takes the spool and reads its log; `run` serves until SIGTERM.

    Raises:
        SpoolInUseError, OSError, KeyFileError, SettingsError: as their parts do.
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
            min_free_inodes=settings.spool.min_free_inodes,
        )
        retry = settings.retry
        orders = OrderBook(self.spool, [source.name for source in settings.egress.all_sources(self._hostname)])
        self.dispatcher = Dispatcher(
            spool=self.spool,
            router=_router(settings, self._hostname),
            new_site=self._site_factory(settings.egress, orders),
            policy=RetryPolicy(retry.first_delay, retry.max_delay, retry.max_age),
            bouncer=self._new_bouncer(),
            resident=ResidentContent(settings.egress.content_memory),
            metrics=self.metrics,
            log=log,
            orders=orders,
        )
        self._watchdog = DeliveryWatchdog(self.dispatcher.sites, metrics=self.metrics, log=log)
        self._signer = Signer()
        self._reception = Reception(
            self.spool, self._submit, keys=keys, signer=self._signer, metrics=self.metrics, log=log
        )
        self._entrance = Entrance(
            settings, self._reception, has_room=self.spool.has_room, metrics=self.metrics, log=log
        )
        self._entrance.watch("DKIM keys", keys.files, keys.reload)
        self._listeners: list[Listener] = []
        identity = SpoolIdentity(settings.spool.path)
        self.drainer = self._new_drainer(identity)
        self._receiver = self._new_receiver(identity)
        handlers = {
            **mta_handlers(self),
            **message_handlers(self),
            **order_handlers(self.dispatcher.enforcement, clock=time.time),
            **drain_handlers(self.drainer, self._receiver),
        }
        described = admin_routes(handlers, version=self.build.version, max_batch=largest_batch(settings))
        self.admin = AdminServer(described, token=read_token(settings.admin.token_file))

    def _new_bouncer(self) -> Bouncer:
        notices = self._settings.notices
        return Bouncer(
            self.spool,
            self._submit,
            hostname=self._hostname,
            policy=NoticePolicy(notices.delay_after, notices.return_limit, self._settings.retry.max_age),
            log=self._log,
        )

    def _new_drainer(self, identity: SpoolIdentity) -> Drainer:
        settings = self._settings
        grace = settings.shutdown.grace
        token = read_token(settings.drain.token_file or settings.admin.token_file)
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
            max_message=largest_message(self._settings),
            max_batch=self._settings.drain.batch_octets,
            metrics=self.metrics,
            log=self._log,
        )

    def _submit(self, message: Any) -> None:
        self.dispatcher.submit(message)

    def _site_factory(self, egress: EgressSettings, orders: OrderBook) -> Callable[[Route, Dispatcher], Site]:
        policy = EgressPolicy(
            per_site=egress.max_connections_per_site,
            per_connection=egress.max_messages_per_connection,
            per_transaction=egress.max_recipients_per_transaction,
            idle_timeout=egress.idle_timeout,
        )
        budget = self._budget = ConnectionBudget(egress.max_connections)
        connector = Connector(
            _dialler(egress, self._hostname, orders),
            HostMemory(clock=self._loop.time),
            tls=_tls_context() if egress.starttls else None,
            overlap=egress.overlap,
            chunk_limit=egress.chunking_limit,
        )

        def new_site(route: Route, owner: Dispatcher) -> Site:
            return Site(route, owner=owner, connector=connector, budget=budget, policy=policy)

        return new_site

    async def run(self, ports: Ports) -> None:
        """Serve on these ports until SIGTERM or SIGINT, then stop without losing anything."""
        admin = await self._loop.create_server(self.admin.protocol, sock=ports.admin)

        Watchdog(self._loop)
        await self.serve(ports.listeners, on_ready=lambda: notify("READY=1"))
        admin.close()

    async def serve(self, listening: Sequence[socket.socket], *, on_ready: Callable[[], None]) -> None:
        """The same without an admin port; without listeners too, nothing new is taken and the rest is delivered."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        await self._start_listeners(listening)
        LongLived(self._loop, lambda: len(self.spool.messages))
        # New mail is taken meanwhile, and delivered.
        taking_up = self._loop.create_task(self._take_up())
        stopped = self._loop.create_task(stop.wait())
        await asyncio.wait((taking_up, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not taking_up.cancel():
            taking_up.result()
            on_ready()
            self._log.info("started", version=self.build.version, release=self.build.release, pid=os.getpid())
        await stopped
        await self._stop()

    @property
    def empty(self) -> bool:
        """Whether the spool holds nothing that anybody waits for, another MTA included."""
        return self._recovered and not self.dispatcher.messages and not self.spool.standing.offers

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
        self.metrics.sessions.labels("in").set(sum(listener.sessions for listener in self._listeners))
        self.metrics.sessions.labels("out").set(self._budget.used)

    async def _start_listeners(self, sockets: Sequence[socket.socket]) -> None:
        # A retiring worker has none.
        if sockets:
            self._listeners.extend(await self._entrance.open(sockets, self._hostname))

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
        self._entrance.close()
        self._signer.close()
        await self.spool.close()
        self._log.info("stopped", queued=len(self.dispatcher.messages), seconds=round(time.monotonic() - began, 3))

    def _disk_failed(self, error: OSError) -> None:
        """The log's state on disk is unknown: answer nobody any more. The next start reads what is there."""
        self._log.critical("spool_failed", error=str(error), remedy="check the disk, then start again")
        os._exit(EXIT_DISK)


def largest_message(settings: MtaSettings) -> int:
    """Octets of the largest message in a spool: what added fields make of the largest that a listener takes."""
    return max(listener.max_message_size for listener in settings.listeners.values()) + _ADDED_FIELDS


def largest_batch(settings: MtaSettings) -> int:
    """Octets of the largest batch of messages that another MTA may hand over."""
    return max_batch_size(settings.drain.batch_octets, largest_message(settings))


def read_token(file: Path | None) -> str | None:
    """The bearer token in a file; None without one. Raises OSError."""
    return file.read_text().strip() if file is not None else None


def _router(settings: MtaSettings, hostname: str) -> Router:
    loop = asyncio.get_running_loop()
    servers = [(server.host, server.port) for server in settings.dns.servers]
    reached = families(settings.egress.all_sources(hostname), ipv6=settings.routing.ipv6)
    lookup = Resolver(servers, timeout=settings.dns.timeout, families=reached)
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

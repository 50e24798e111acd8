"""Does what is in the outbound queue, when it is due: sends bounces, records and reports complaints."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

import msgspec
import structlog

from postroad_region.addresses import in_box
from postroad_region.world.clock import DAY, Clock
from postroad_region.world.decisions.spf import LookupFailedError, Resolver
from postroad_region.world.outbound.client import Parcel, RefusedError, deliver
from postroad_region.world.outbound.queue import Entry, OutboundQueue

log = structlog.get_logger()

_AT_ONCE = 8
# World seconds between tries; the last goes on until the entry is too old.
_WAITS = (60.0, 300.0, 900.0, 1800.0, 3600.0)
_MAX_AGE = DAY
# A world of fast days mustn't try without pause.
_LEAST_REAL_SECONDS = 0.5


class UnreachableError(Exception):
    """There is nobody to give it to; the text says why."""


class Courier:
    """See the module.

    Args:
        complained: told of a complaint when it is due.
        port: that of the MX hosts it sends to.
    """

    def __init__(
        self,
        queue: OutboundQueue,
        *,
        clock: Clock,
        resolver: Resolver,
        complained: Callable[[Entry], None],
        port: int = 25,
    ) -> None:
        self.queue = queue
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        self._clock = clock
        self._resolver = resolver
        self._complained = complained
        self._port = port
        self._woken = asyncio.Event()
        self._busy: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """The queue or the clock has changed."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            while len(self._busy) < _AT_ONCE and (entry := self.queue.take(self._clock.now())) is not None:
                task = asyncio.create_task(self._do(entry))
                self._busy.add(task)
                task.add_done_callback(self._done)
            due = self.queue.next_due()
            pause = None
            if due is not None and len(self._busy) < _AT_ONCE:
                pause = max(0.0, self._clock.real_seconds(due - self._clock.now()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._busy.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbound failed", reason=f"{type(error).__name__}: {error}")

    async def _do(self, entry: Entry) -> None:
        if entry.kind == "complaint" and not entry.recorded:
            self._complained(entry)
            entry = msgspec.structs.replace(entry, recorded=True)
            if not entry.to:
                self._finish(entry, "unregistered")
                return
            self.queue.again(entry)
            return
        try:
            await self._send(entry)
        except RefusedError as error:
            if error.permanent:
                self._finish(entry, "refused", str(error))
            else:
                self._again(entry, str(error))
        except UnreachableError as error:
            self._finish(entry, "unreachable", str(error))
        except (LookupFailedError, OSError, TimeoutError) as error:
            self._again(entry, str(error) or type(error).__name__)
        else:
            self._finish(entry, "sent")

    async def _send(self, entry: Entry) -> None:
        domain = entry.to.rpartition("@")[2]
        # A report has a sender that takes no mail: only bounces come from nobody, but neither wants an answer.
        parcel = Parcel(entry.host, "", entry.to, entry.content)
        hosts = await self._resolver.mail_hosts(domain) or [domain]
        if [host.rstrip(".") for host in hosts] == [""]:
            raise UnreachableError(f"{domain} takes no mail (null MX, RFC 7505)")
        failure: OSError | TimeoutError | UnreachableError = UnreachableError(f"{domain} has no mail host")
        for host in hosts:
            for address in await self._resolver.addresses(host):
                if not in_box(address):
                    failure = UnreachableError(f"{host} has {address}, which is outside the box")
                    continue
                try:
                    await deliver(parcel, host=address, port=self._port, local=entry.address)
                except (OSError, TimeoutError) as error:
                    failure = error
                else:
                    return
        raise failure

    def _again(self, entry: Entry, reason: str) -> None:
        now = self._clock.now()
        if now - entry.made > _MAX_AGE:
            self._finish(entry, "expired", reason)
            return
        wait = _WAITS[min(entry.attempts, len(_WAITS) - 1)]
        wait = max(wait, _LEAST_REAL_SECONDS * DAY / self._clock.day)
        self.outcomes[entry.provider, entry.kind, "deferred"] += 1
        self.queue.again(msgspec.structs.replace(entry, attempts=entry.attempts + 1, due=now + wait))

    def _finish(self, entry: Entry, outcome: str, reason: str = "") -> None:
        self.outcomes[entry.provider, entry.kind, outcome] += 1
        self.queue.remove(entry.id)
        if reason:
            log.info("not sent", kind=entry.kind, to=entry.to, outcome=outcome, reason=reason[:200])

"""All providers of a world: their mailboxes over one ledger, their hosts, what goes wrong, and what they send."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from postroad_region.ca import ensure_authority
from postroad_region.errors import RegionError
from postroad_region.world.aftermath import Aftermath
from postroad_region.world.batches import Batches
from postroad_region.world.certificates import Certificates
from postroad_region.world.clock import Clock
from postroad_region.world.decisions.spf import Resolver
from postroad_region.world.definition.provider import Provider
from postroad_region.world.definition.transport import MxHost, Tls
from postroad_region.world.definition.world import World
from postroad_region.world.feedback import FeedbackLoops
from postroad_region.world.incidents import Incidents
from postroad_region.world.ledger import Ledger
from postroad_region.world.mailboxes import Delivered, Mailboxes
from postroad_region.world.mx import MailHost
from postroad_region.world.outbound.courier import Courier
from postroad_region.world.outbound.queue import Entry, OutboundQueue
from postroad_region.world.policies import PolicyServer
from postroad_region.world.publication import host_keys, tell_failing
from postroad_region.world.verdict import Verdict

log = structlog.get_logger()


class Internet:
    """See the module.

    Args:
        state: gets the ledger, the outbound queue, keys and certificates, the clock and the incidents.
        ca: the folder of the box's authority; made when missing.
    """

    def __init__(self, world: World, *, state: Path, ca: Path, resolver: Resolver) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.world = world
        self._state = state
        self.clock = Clock(state / "clock.json", day=world.day)
        self.incidents = Incidents(state / "incidents.json", world.incidents, self.clock)
        queue = OutboundQueue(state / "outbound")
        loops = FeedbackLoops(state / "feedback-loops.json", world.feedback_loops)
        self.aftermath = Aftermath(queue, loops=loops, clock=self.clock)
        self.courier = Courier(queue, clock=self.clock, resolver=resolver, complained=self._complained)
        self.mailboxes = {
            provider.name: Mailboxes(
                provider,
                rules=world.recipients,
                clock=self.clock,
                resolver=resolver,
                incidents=self.incidents,
                after=self._after,
            )
            for provider in world.providers
        }
        self.ledger = self._ledger()
        self.batches = Batches(self.ledger)
        self._certificates = Certificates(ensure_authority(ca), host_keys(state), state / "tls")
        self._hosts = {mx.host: self._host(provider, mx) for provider in world.providers for mx in provider.mx}
        self._changed = asyncio.Event()
        self.incidents.changed = self._changed.set
        self._tell_dns()

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Take mail until `stop`; `ready` is called when all listen.

        Raises:
            RegionError: an address isn't there, or taken.
        """
        async with contextlib.AsyncExitStack() as stack:
            if self.world.policy_address is not None:
                policies = PolicyServer(self.world.providers, self._certificates)
                stack.callback((await policies.listen(self.world.policy_address)).close)
            for host in self._hosts.values():
                await host.apply()
                stack.callback(host.close)
            tasks = [asyncio.create_task(self.courier.run()), asyncio.create_task(self._follow_incidents())]
            ready()
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def reset(self) -> None:
        """Forget all mail, what is known of sources, what is to be sent, and the operator's incidents and settings."""
        self.ledger.clear()
        self.batches.clear()
        for mailboxes in self.mailboxes.values():
            mailboxes.clear()
        self.courier.queue.clear()
        self.courier.outcomes.clear()
        self.aftermath.reset()
        self.clock.reset()
        self.incidents.reset()
        self.clock_changed()

    def clock_changed(self) -> None:
        """Look at everything that waits for a time."""
        self.incidents.refresh()
        self._changed.set()
        self.courier.wake()

    def reputation(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What each provider thinks of each source."""
        now = self.clock.now()
        return {name: mailboxes.standings.table(now) for name, mailboxes in self.mailboxes.items()}

    def connections(self) -> dict[str, int]:
        """How many each provider has."""
        return {name: mailboxes.connections() for name, mailboxes in self.mailboxes.items()}

    def hosts(self) -> dict[tuple[str, str], bool]:
        """Whether each host takes connections."""
        return {
            (provider.name, mx.host): self._hosts[mx.host].listens
            for provider in self.world.providers
            for mx in provider.mx
        }

    def _ledger(self) -> Ledger:
        folder = self._state / "ledger"
        former = self._state / "ledger.jsonl"
        if former.exists() and not folder.exists():
            folder.mkdir()
            former.rename(folder / "000001.jsonl")
        ledger = Ledger(
            folder,
            segment=self.world.ledger.segment,
            keep=self.world.ledger.keep,
            state=lambda: {name: each.standings.kept() for name, each in self.mailboxes.items()},
            restore=self._restore,
            replay=self._replay,
        )
        for mailboxes in self.mailboxes.values():
            mailboxes.record_in(ledger)
        return ledger

    def _restore(self, kept: dict[str, Any]) -> None:
        for name, state in kept.items():
            if name in self.mailboxes:
                self.mailboxes[name].standings.restore(state)

    def _replay(self, verdict: Verdict) -> None:
        if (mailboxes := self.mailboxes.get(verdict.provider)) is not None:
            mailboxes.standings.learn(verdict)

    def _host(self, provider: Provider, mx: MxHost) -> MailHost:
        kind: Tls = provider.tls_of(mx)
        # Where TLS is broken there is nothing to present.
        tls = None if kind == "none" or kind == "broken" else self._certificates.context(kind, mx.host)
        return MailHost(self.mailboxes[provider.name], mx, kind=kind, tls=tls, incidents=self.incidents)

    def _after(self, delivered: Delivered) -> None:
        self.aftermath.take(delivered)
        self.courier.wake()

    def _complained(self, entry: Entry) -> None:
        if (mailboxes := self.mailboxes.get(entry.provider)) is not None:
            mailboxes.complained(entry.source, entry.sender, entry.recipient, entry.transaction)

    async def _follow_incidents(self) -> None:
        """Take hosts out and back, and tell the DNS, whenever the set of incidents changes."""
        while True:
            self._changed.clear()
            change = self.incidents.next_change()
            for host in self._hosts.values():
                try:
                    await host.apply()
                except RegionError as error:
                    log.error("host", host=host.mx.host, reason=str(error))
            self._tell_dns()
            left = self.clock.real_seconds(change - self.clock.now())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if left == float("inf") else max(0.0, left) + 0.001):
                    await self._changed.wait()

    def _tell_dns(self) -> None:
        failing = [name for name in self.mailboxes if self.incidents.of(name, "dns-failure") is not None]
        tell_failing(self._state, failing)

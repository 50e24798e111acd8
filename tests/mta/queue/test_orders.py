"""Orders on queued mail, with a real spool: what waits, fails, goes on and survives a restart."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from postroad.build import Build
from postroad.metrics import MtaMetrics
from postroad.queue.bouncer import Bouncer, NoticePolicy
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.order_book import OrderBook
from postroad.queue.resident import ResidentContent
from postroad.queue.retry import RetryPolicy
from postroad.routing.route import Route
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, group_recipients
from postroad.spool.orders import Action, Scope

HOUR = 3600.0


class KeptLog:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))

    warning = error = info

    def of(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.events if name == event]


class SiteByDomain:
    def known(self, domain: bytes) -> Route:
        return Route("mx." + domain.decode(), (), 25)

    async def find(self, domain: bytes) -> Route:
        return self.known(domain)


class NoAnswer(SiteByDomain):
    """A resolver that never answers, or fails as nobody foresaw."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def known(self, domain: bytes) -> None:  # type: ignore[override]
        return None

    async def find(self, domain: bytes) -> Route:
        if self._error is not None:
            raise self._error
        await asyncio.Event().wait()
        raise AssertionError


class StalledSite:
    """A site without a connection."""

    busy = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: list[Delivery] = []

    @property
    def waiting(self) -> int:
        return len(self.ready)

    def put(self, delivery: Delivery) -> None:
        self.ready.append(delivery)

    def withdraw(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        taken = [delivery for delivery in self.ready if wanted(delivery)]
        self.ready = [delivery for delivery in self.ready if not wanted(delivery)]
        return taken

    def drain(self) -> list[Delivery]:
        return self.withdraw(lambda _: True)

    def renew(self) -> None:
        pass


def fail(error: OSError) -> None:
    raise AssertionError(error)


class Queue:
    def __init__(self, folder: Path, *, max_age: float = 5 * 86400.0, router: SiteByDomain | None = None) -> None:
        self.spool = Spool(folder, fatal=fail)
        self.log = KeptLog()
        self.dispatcher = Dispatcher(
            spool=self.spool,
            router=router or SiteByDomain(),
            new_site=lambda route, _: StalledSite(route.site),  # type: ignore[arg-type,return-value]
            policy=RetryPolicy(max_age=max_age),
            bouncer=Bouncer(
                self.spool,
                lambda message: self.told.append(message),
                policy=NoticePolicy(),
                hostname="h.test",
                log=self.log,
            ),
            resident=ResidentContent(1 << 20),
            metrics=MtaMetrics(Build("test", "test")),
            log=self.log,
            orders=OrderBook(self.spool, ("one",)),
        )
        self.told: list[Message] = []
        self.book = self.dispatcher.orders
        self.enforcement = self.dispatcher.enforcement

    async def accept(self, recipient: bytes, tenant: str = "", campaign: str = "", age: float = 0.0) -> Message:
        message = Message(self.spool.next_id(), time.time() - age, b"a@x.test", (recipient,), 6, content=(b"body\r\n",))
        message.tenant, message.campaign = tenant, campaign
        message.deliveries = [
            Delivery(message, domain, indexes, due=message.received)
            for domain, indexes in group_recipients(message.recipients)
        ]
        stored: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.spool.append(message, stored.set_result)
        assert await stored is None
        self.dispatcher.submit(message)
        return message

    async def give(self, action: Action, seconds: float = HOUR, **scope: Any) -> Any:
        order, _ = await self.enforcement.give(action, Scope(**scope), reason="because", until=time.time() + seconds)
        return order

    @property
    def ready(self) -> set[str]:
        sites: Any = self.dispatcher.sites.values()
        return {address.decode() for site in sites for delivery in site.ready for address in delivery.addresses}

    async def close(self) -> None:
        await self.dispatcher.drain(0.0, 0.0)
        await self.spool.close()


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is nothing to wait for
            await asyncio.sleep(0.005)


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    made = Queue(tmp_path)
    yield made
    made.dispatcher.sites.clear()
    await made.close()


@pytest.mark.parametrize(
    "scope", [{"tenant": "acme"}, {"campaign": "autumn"}, {"domain": "y.test"}, {"site": "mx.y.test"}]
)
async def test_suspended_mail_waits_and_goes_on_when_the_order_is_lifted(queue: Queue, scope: dict[str, Any]) -> None:
    there = await queue.accept(b"b@y.test", "acme", "autumn")
    order = await queue.give(Action.SUSPEND, **scope)
    assert queue.ready == set()
    await queue.accept(b"c@y.test", "acme", "autumn")
    await queue.accept(b"d@z.test", "other", "spring")
    assert queue.ready == {"d@z.test"}
    assert {delivery.attempts for delivery in queue.dispatcher.scheduled_deliveries()} == {0}
    assert there.deliveries[0].due == pytest.approx(order.until)
    await queue.enforcement.lift(order.number)
    await eventually(lambda: queue.ready == {"b@y.test", "c@y.test", "d@z.test"})


async def test_suspended_mail_goes_on_when_the_order_ends_by_itself(queue: Queue) -> None:
    await queue.accept(b"b@y.test")
    await queue.give(Action.SUSPEND, 0.05, domain="y.test")
    assert queue.ready == set()
    await eventually(lambda: queue.ready == {"b@y.test"})
    assert queue.book.orders == []


async def test_a_flush_does_not_deliver_suspended_mail(queue: Queue) -> None:
    await queue.give(Action.SUSPEND, tenant="acme")
    await queue.accept(b"b@y.test", "acme")
    queue.dispatcher.flush()
    await asyncio.sleep(0.02)
    assert (queue.ready, queue.dispatcher.scheduled) == (set(), 1)


async def test_bounced_mail_fails_with_a_notification_wherever_it_waits_and_when_it_comes(queue: Queue) -> None:
    ready = await queue.accept(b"b@y.test", "acme")
    waiting = await queue.accept(b"c@z.test", "acme")
    (delivery,) = queue.dispatcher.sites["mx.z.test"].withdraw(lambda _: True)
    queue.dispatcher.wait(delivery, time.time() + HOUR)
    other = await queue.accept(b"d@y.test", "other")
    await queue.give(Action.BOUNCE, tenant="acme")
    late = await queue.accept(b"e@y.test", "acme")
    await eventually(lambda: len(queue.told) == 3)
    assert {message.recipients for message in queue.told} == {(b"a@x.test",)}
    gone = {ready.id, waiting.id, late.id}
    await eventually(lambda: not gone & queue.spool.messages.keys())
    assert queue.ready == {other.recipients[0].decode()}
    assert all("550 5.7.1 bounced by order" in event["reply"] for event in queue.log.of("bounce"))


async def test_discarded_mail_fails_and_only_the_log_is_told(queue: Queue) -> None:
    message = await queue.accept(b"b@y.test", "acme", "autumn")
    await queue.give(Action.DISCARD, campaign="autumn")
    assert message.id not in queue.spool.messages
    assert [event["queue_id"] for event in queue.log.of("discard")] == [message.queue_id]
    assert queue.told == []


async def test_mail_that_can_leave_only_from_a_suspended_source_waits(queue: Queue) -> None:
    await queue.accept(b"b@y.test")
    order = await queue.give(Action.SUSPEND, source="one")
    assert queue.ready == set()
    assert not queue.book.source_open("one")
    await queue.enforcement.lift(order.number)
    assert queue.book.source_open("one")
    await eventually(lambda: queue.ready == {"b@y.test"})


async def test_an_order_survives_a_restart_and_its_end_does_too(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    kept = await queue.book.give(Action.BOUNCE, Scope(tenant="acme"), reason="abuse", until=time.time() + HOUR)
    lifted = await queue.book.give(
        Action.SUSPEND, Scope(domain="y.test"), reason="their wish", until=time.time() + HOUR
    )
    await queue.book.lift(lifted.number)
    await queue.close()
    queue = Queue(tmp_path)
    queue.dispatcher.restore(await queue.spool.recover())
    assert queue.book.orders == [kept]
    await queue.close()


async def test_suspended_mail_that_is_too_old_fails(tmp_path: Path) -> None:
    queue = Queue(tmp_path, max_age=HOUR)
    await queue.give(Action.SUSPEND, domain="y.test")
    message = await queue.accept(b"b@y.test", age=HOUR - 0.05)
    assert message.deliveries[0].slot is not None
    await eventually(lambda: queue.told)
    assert "5.4.7 too old, while suspended" in queue.log.of("bounce")[0]["reply"]
    await queue.close()


@pytest.mark.parametrize("held", [False, True])
async def test_mail_that_gets_too_old_for_want_of_a_connection_or_in_a_drain_fails(tmp_path: Path, held: bool) -> None:
    queue = Queue(tmp_path, max_age=0.5)
    if held:
        queue.dispatcher.hold()
    await queue.accept(b"b@y.test")
    await eventually(lambda: queue.told)
    assert "5.4.7 too old" in queue.log.of("bounce")[0]["reply"]
    queue.dispatcher.sites.clear()
    await queue.close()


async def test_rebound_mail_is_another_tenants_also_after_a_restart(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    await queue.give(Action.SUSPEND, tenant="acme")
    message = await queue.accept(b"b@y.test", "acme", "autumn")
    assert await queue.enforcement.rebind(Scope(campaign="autumn"), tenant="better", campaign=None) == 1
    await eventually(lambda: queue.ready == {"b@y.test"})
    assert (message.tenant, message.campaign) == ("better", "autumn")
    queue.dispatcher.sites.clear()
    await queue.close()
    queue = Queue(tmp_path)
    (found,) = await queue.spool.recover()
    assert (found.tenant, found.campaign, await queue.spool.read(found)) == ("better", "autumn", b"body\r\n")
    await queue.close()


async def test_an_order_that_makes_no_sense_is_refused_with_the_reason(queue: Queue) -> None:
    for scope, until, why in (
        (Scope(), HOUR, "at least one"),
        (Scope(source="none"), HOUR, "no source is named 'none'; there are one"),
        (Scope(tenant="acme"), -1.0, "time to come"),
    ):
        with pytest.raises(ValueError, match=why):
            await queue.book.give(Action.BOUNCE, scope, reason="", until=time.time() + until)
    with pytest.raises(KeyError):
        await queue.book.lift(7)


@pytest.mark.parametrize("error", [None, ZeroDivisionError()])
async def test_a_lookup_that_does_not_end_defers_what_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr("postroad.queue.dispatcher.LOOKUP_TIMEOUT", 0.01)
    queue = Queue(tmp_path, router=NoAnswer(error))
    message = await queue.accept(b"b@y.test")
    await eventually(lambda: queue.dispatcher.scheduled == 1)
    assert "did not end" in message.deliveries[0].reply
    await queue.close()

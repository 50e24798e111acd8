"""Bounces and complaints on their way, to a real server: aiosmtpd."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from postroad_region.world.clock import Clock
from postroad_region.world.outbound import courier as couriers
from postroad_region.world.outbound.courier import Courier
from postroad_region.world.outbound.queue import Entry, OutboundQueue

from .test_queue import entry


class Peer:
    """Answers as told and keeps what it gets."""

    def __init__(self) -> None:
        self.replies: list[str] = []
        self.tried = 0
        self.taken: list[Any] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        self.tried += 1
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(envelope)
        return "250 OK"


class Case:
    def __init__(self, folder: Path, resolver: Any, clock: Clock, port: int) -> None:
        self.peer = Peer()
        self.clock = clock
        self.resolver = resolver
        self.complaints: list[Entry] = []
        self.queue = OutboundQueue(folder / "outbound")
        self.courier = Courier(self.queue, clock=clock, resolver=resolver, complained=self.complaints.append, port=port)

    def put(self, name: str, **changes: Any) -> None:
        now = self.clock.now()
        given = {"address": "127.0.0.1", "made": now, "content": b"Subject: x\r\n\r\n.x\r\n"}
        self.queue.put(entry(name, **{**given, "due": now, **changes}))
        self.courier.wake()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110  it waits for what has no event of its own
                await asyncio.sleep(0.005)

    def outcomes(self) -> dict[str, int]:
        return {outcome: count for (_, _, outcome), count in self.courier.outcomes.items()}


@pytest.fixture
async def case(tmp_path: Path, resolver: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Case]:
    case: Case | None = None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(case.peer if case else None), "127.0.0.1", 0)
    monkeypatch.setattr(couriers, "in_box", lambda address: address == "127.0.0.1")
    case = Case(tmp_path, resolver, clock, server.sockets[0].getsockname()[1])
    case.resolver.exchanges["postroad.test"] = ["mx.postroad.test."]
    case.resolver.hosts["mx.postroad.test."] = ["127.0.0.1"]
    running = asyncio.create_task(case.courier.run())
    try:
        async with server:
            yield case
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_bounce_is_sent_from_nobody(case: Case) -> None:
    case.put("a")
    await case.until(lambda: case.outcomes() == {"sent": 1})
    (envelope,) = case.peer.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("<>", ["a@postroad.test"])
    assert envelope.content == b"Subject: x\r\n\r\n.x\r\n"
    assert len(case.queue) == 0


async def test_it_waits_until_it_is_due(case: Case) -> None:
    case.put("a", due=case.clock.now() + 60)
    case.put("b")
    await case.until(lambda: case.outcomes() == {"sent": 1})
    assert len(case.queue) == 1
    case.clock.advance(60)
    case.courier.wake()
    await case.until(lambda: case.outcomes() == {"sent": 2})


async def test_what_is_deferred_is_tried_again(case: Case) -> None:
    case.peer.replies = ["450 4.2.1 Later", "421 4.3.2 Later"]
    case.put("a")
    await case.until(lambda: case.outcomes() == {"deferred": 1})
    case.clock.advance(61)
    case.courier.wake()
    await case.until(lambda: case.outcomes() == {"deferred": 2})
    case.clock.advance(301)
    case.courier.wake()
    await case.until(lambda: case.outcomes() == {"deferred": 2, "sent": 1})
    assert case.peer.tried == 3


async def test_what_is_refused_is_given_up(case: Case) -> None:
    case.peer.replies = ["550 5.1.1 No"]
    case.put("a")
    await case.until(lambda: case.outcomes() == {"refused": 1})
    assert len(case.queue) == 0


async def test_what_is_too_old_is_given_up(case: Case) -> None:
    case.resolver.hosts["mx.postroad.test."] = []
    case.resolver.broken = {"postroad.test"}
    case.put("a", made=case.clock.now() - 90_000)
    await case.until(lambda: case.outcomes() == {"expired": 1})


async def test_another_host_is_tried_where_one_is_out(case: Case) -> None:
    case.resolver.exchanges["postroad.test"] = ["gone.postroad.test.", "mx.postroad.test."]
    case.put("a")
    await case.until(lambda: case.outcomes() == {"sent": 1})


@pytest.mark.parametrize("exchanges", [["."], ["elsewhere.test."]])
async def test_nothing_goes_where_nobody_takes_it_or_out_of_the_box(case: Case, exchanges: list[str]) -> None:
    case.resolver.exchanges["postroad.test"] = exchanges
    case.resolver.hosts["elsewhere.test."] = ["192.0.2.1"]
    case.put("a")
    await case.until(lambda: case.outcomes() == {"unreachable": 1})


async def test_a_complaint_is_recorded_and_reported(case: Case) -> None:
    case.put("a", kind="complaint")
    case.put("b", kind="complaint", to="")
    await case.until(lambda: case.outcomes() == {"unregistered": 1, "sent": 1})
    assert {each.id for each in case.complaints} == {"a", "b"}
    assert len(case.peer.taken) == 1

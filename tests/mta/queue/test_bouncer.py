import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from postroad.queue.bouncer import Bouncer, NoticePolicy
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.smtp.replies import Reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message

NO = Reply(550, ("5.1.1 no",))
LATER = Reply(450, ("4.2.1 busy",))
YES = Reply(250, ("2.0.0 taken",))


class Log:
    def __getattr__(self, name: str) -> Any:
        return lambda *words, **facts: None


class Desk:
    """A bouncer on a spool of its own, and what it sent."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder, fatal=self._fatal)
        self.sent: list[Message] = []
        self.bouncer = Bouncer(
            self.spool, self.sent.append, hostname="mta.test", policy=NoticePolicy(delay_after=100.0), log=Log()
        )

    @staticmethod
    def _fatal(error: OSError) -> None:
        raise AssertionError(error)

    async def part(self, dsn: DsnRequest | None, sender: bytes = b"a@x.test") -> Delivery:
        body = b"Subject: x\r\n\r\nsecret\r\n"
        message = Message(self.spool.next_id(), 0.0, sender, (b"b@y.test", b"c@y.test"), len(body), content=(body,))
        message.dsn = dsn
        message.deliveries = [Delivery(message, b"y.test", (0, 1))]
        done: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        self.spool.append(message, done.set_result)
        assert await done is None
        message.content = None
        return message.deliveries[0]

    async def fail(self, part: Delivery) -> list[bytes]:
        done: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
        await self.bouncer.tell_sender(part, {0: NO, 1: NO}, "mx.y.test", done.set_result)
        assert await done is None
        return self.reports()

    async def settled(self) -> list[bytes]:
        await self.part(None)  # stored behind what was appended, which is told by then
        return self.reports()

    def reports(self) -> list[bytes]:
        return [b"".join(message.content or ()) for message in self.sent]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.spool.close()


async def test_a_failure_is_told_to_who_said_nothing(desk: Desk) -> None:
    (report,) = await desk.fail(await desk.part(None))
    assert report.count(b"Action: failed") == 2
    assert b"secret" not in report
    assert (desk.sent[0].sender, desk.sent[0].recipients) == (b"", (b"a@x.test",))


async def test_a_failure_is_told_of_those_recipients_only_whose_sender_wants_it(desk: Desk) -> None:
    asked = DsnRequest("FULL", b"QQ+3D1", (Notify.NEVER, Notify.FAILURE), (b"rfc822;b@z.test", b"rfc822;c@z.test"))
    (report,) = await desk.fail(await desk.part(asked))
    assert b"b@y.test" not in report
    assert b"Original-Recipient: rfc822; c@z.test\r\nFinal-Recipient: rfc822; c@y.test\r\n" in report
    assert b"Original-Envelope-Id: QQ=1\r\n" in report
    assert b"secret" in report


async def test_never_means_never(desk: Desk) -> None:
    never = DsnRequest(notify=(Notify.NEVER, Notify.NEVER))
    assert await desk.fail(await desk.part(never)) == []


async def test_a_notification_is_told_of_to_nobody(desk: Desk) -> None:
    assert await desk.fail(await desk.part(None, sender=b"")) == []


async def test_success_is_told_when_the_next_host_will_not(desk: Desk) -> None:
    part = await desk.part(DsnRequest(notify=(Notify.SUCCESS, Notify.FAILURE)))
    desk.bouncer.relayed(part.message, {0: YES, 1: YES}, "mx.y.test", b"Subject: x\r\n\r\nsecret\r\n")
    (report,) = await desk.settled()
    assert b"Action: relayed\r\nStatus: 2.0.0" in report
    assert b"c@y.test" not in report
    assert b"Subject: x" in report
    assert b"secret" not in report


async def test_a_delay_is_told_once_to_who_asked(desk: Desk) -> None:
    part = await desk.part(DsnRequest(notify=(Notify.DELAY, 0)))
    for was_due, part.due in ((0.0, 60.0), (60.0, 160.0), (160.0, 300.0)):
        await desk.bouncer.delayed(part, {0: LATER, 1: LATER}, "mx.y.test", was_due=was_due)
    (report,) = await desk.settled()
    assert b"Action: delayed\r\nStatus: 4.2.1" in report
    assert b"Will-Retry-Until: " in report
    assert b"c@y.test" not in report

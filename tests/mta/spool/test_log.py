import asyncio
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.spool.compaction import should_compact
from postroad.spool.errors import SpoolError, SpoolFullError, UnreadableError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome, group_recipients
from postroad.spool.record import MessageMeta, RecordKind, check_of, encode_record
from postroad.spool.recovery import read_spool
from postroad.spool.segment import list_segments, segment_path
from postroad.spool.verify import verify_spool


def no_fatal(error: OSError) -> None:
    raise AssertionError(error)


def opened(folder: Path, segment_size: int = 1 << 20) -> Spool:
    return Spool(folder, fatal=no_fatal, segment_size=segment_size)


def message(spool: Spool, *recipients: bytes, body: bytes = b"body\r\n") -> Message:
    recipients = recipients or (b"b@y.test",)
    made = Message(spool.next_id(), 100.0, b"a@x.test", recipients, len(body), content=(body,))
    made.deliveries = [Delivery(made, domain, indexes, due=100.0) for domain, indexes in group_recipients(recipients)]
    return made


async def stored(spool: Spool, item: Message) -> SpoolError | None:
    done: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
    spool.append(item, done.set_result)
    return await done


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the disk tells nobody
            await asyncio.sleep(0.005)


async def reopened(spool: Spool, segment_size: int = 1 << 20) -> tuple[Spool, list[Message]]:
    await spool.close()
    again = opened(spool.folder, segment_size)
    return again, again.take_recovered()


async def test_a_stored_message_is_there_after_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sent = message(spool, b"b@y.test", b"c@z.test")
    sent.tenant, sent.campaign, sent.dsn = "acme", "autumn", DsnRequest("FULL", b"QQ1", (Notify.NEVER, 0))
    assert await stored(spool, sent) is None
    spool, (found,) = await reopened(spool)
    assert (found.tenant, found.campaign, found.dsn) == ("acme", "autumn", sent.dsn)
    assert (found.id, found.sender, found.recipients) == (sent.id, b"a@x.test", (b"b@y.test", b"c@z.test"))
    assert [delivery.domain for delivery in found.deliveries] == [b"y.test", b"z.test"]
    assert await spool.read(found) == b"body\r\n"
    await spool.close()


async def test_the_callback_comes_after_fdatasync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    order: list[str] = []
    real = os.fdatasync

    def fdatasync(fd: int) -> None:
        real(fd)
        order.append("sync")

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    spool.append(message(spool), lambda _: order.append("done"))
    await eventually(lambda: "done" in order)
    assert order[0] == "sync"
    await spool.close()


async def test_one_sync_serves_all_that_wait(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await stored(spool, message(spool))
    before = spool.commits
    await asyncio.gather(*(stored(spool, message(spool)) for _ in range(100)))
    assert spool.commits - before <= 2
    await spool.close()


async def test_a_success_is_never_attempted_again(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sent = message(spool, b"b@y.test", b"c@y.test", b"d@z.test")
    await stored(spool, sent)
    at_y, at_z = sent.deliveries
    done, failed = at_y.split([[0], [1]])
    spool.record_outcome(done, Outcome.DELIVERED)
    failed.attempts, failed.due, failed.reply = 3, 777.0, "450 later"
    spool.record_outcome(failed, Outcome.DEFERRED)
    spool.record_outcome(at_z, Outcome.BOUNCED)
    spool, (found,) = await reopened(spool)
    (left,) = found.deliveries
    assert (left.addresses, left.attempts, left.due, left.reply) == ([b"c@y.test"], 3, 777.0, "450 later")
    spool.record_outcome(left, Outcome.DELIVERED)
    spool, nothing = await reopened(spool)
    assert nothing == []
    await spool.close()


async def test_a_recovered_delivery_is_no_larger_than_a_new_one(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sent = message(spool, *(b"%d@y.test" % number for number in range(250)))
    await stored(spool, sent)
    spool, (found,) = await reopened(spool)
    assert [len(delivery.recipients) for delivery in found.deliveries] == [100, 100, 50]
    await spool.close()


async def test_an_outcome_survives_a_crash_of_the_process_without_any_sync(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sent = message(spool)
    await stored(spool, sent)
    spool.record_outcome(sent.deliveries[0], Outcome.DELIVERED)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert read_spool(tmp_path).messages == {}
    await spool.close()


async def test_segments_go_when_all_their_messages_are_finished(tmp_path: Path) -> None:
    spool = opened(tmp_path, 4096)
    items = [message(spool, body=b"x" * 1000 + b"\r\n") for _ in range(20)]
    for item in items:
        await stored(spool, item)
    assert len(list_segments(tmp_path)) > 3
    for item in items:
        spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)
    await eventually(lambda: len(list_segments(tmp_path)) <= 2)
    spool, nothing = await reopened(spool)
    assert nothing == []
    await spool.close()


async def test_one_old_message_does_not_hold_the_disk_and_is_not_lost(tmp_path: Path) -> None:
    spool = opened(tmp_path, 4096)
    old = message(spool, b"b@y.test", b"c@z.test", body=b"old\r\n")
    await stored(spool, old)
    spool.record_outcome(old.deliveries[0], Outcome.DELIVERED)
    old.deliveries[0].attempts, old.deliveries[0].due = 2, 500.0
    spool.record_outcome(old.deliveries[0], Outcome.DEFERRED)
    for _ in range(100):
        item = message(spool, body=b"x" * 1000 + b"\r\n")
        await stored(spool, item)
        spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)
    await eventually(lambda: len(list_segments(tmp_path)) <= 6)
    assert old.location is not None
    assert old.location.segment > 1
    assert await spool.read(old) == b"old\r\n"
    spool, (found,) = await reopened(spool, 4096)
    assert [(item.addresses, item.attempts, item.due) for item in found.deliveries] == [([b"c@z.test"], 2, 500.0)]
    await spool.close()


async def test_a_torn_tail_is_kept_aside_and_harms_nothing(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    await stored(spool, message(spool))
    await spool.close()
    path = segment_path(tmp_path, 1)
    with path.open("ab") as file:
        file.write(b"PRs1 half a record")
    assert len(verify_spool(tmp_path).damage) == 1
    spool = opened(tmp_path)
    assert len(spool.take_recovered()) == 1
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.read_bytes() == b"PRs1 half a record"
    await spool.close()


async def test_a_body_damaged_on_disk_is_never_sent(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    item = message(spool)
    await stored(spool, item)
    assert item.location is not None
    with segment_path(tmp_path, 1).open("r+b") as file:
        file.seek(item.location.offset)
        file.write(b"BODY")
    with pytest.raises(UnreadableError):
        await spool.read(item)
    await spool.close()


async def test_a_spool_has_one_owner(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    program = "import pathlib, sys, postroad.spool.lock as lock; lock.SpoolLock(pathlib.Path(sys.argv[1]))"
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), stderr=asyncio.subprocess.PIPE
    )
    _, said = await other.communicate()
    assert f"spool {tmp_path} is in use by process {os.getpid()}" in said.decode()
    await spool.close()


async def test_a_full_disk_refuses_messages_and_keeps_outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    first, waiting = message(spool), message(spool)
    await stored(spool, first)
    await stored(spool, waiting)
    full = True
    real = os.writev

    def writev(fd: int, pieces: list[bytes]) -> int:
        if full:
            os.write(fd, b"half")
            raise OSError(errno.ENOSPC, "full")
        return real(fd, pieces)

    monkeypatch.setattr(os, "writev", writev)
    monkeypatch.setattr("postroad.spool.log._RETRY_FULL", 0.05)
    spool.record_outcome(first.deliveries[0], Outcome.DELIVERED)
    assert isinstance(await stored(spool, message(spool)), SpoolFullError)
    full = False
    await eventually(lambda: list(read_spool(tmp_path).messages) == [waiting.id])
    assert verify_spool(tmp_path).damage == ()
    await spool.close()


async def test_ids_grow_also_over_restarts(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    item = message(spool)
    await stored(spool, item)
    spool, _ = await reopened(spool)
    assert spool.next_id() > item.id
    await spool.close()


@pytest.mark.parametrize(
    ("segments", "octets", "live", "records", "wanted"),
    [
        (1, 1000, 0, 0, False),
        (5, 500, 0, 0, True),
        (5, 400, 0, 0, False),
        (20, 2000, 1000, 0, False),
        (20, 2000, 100, 0, True),
        (65, 300, 0, 0, True),
        (64, 300, 0, 0, False),
        (2, 300, 200, 200_040, False),
        (2, 300, 200, 200_041, True),
    ],
)
def test_when_to_compact(segments: int, octets: int, live: int, records: int, wanted: bool) -> None:
    facts = {"segments": segments, "octets": octets, "live_octets": live, "records": records}
    assert should_compact(**facts, segment_size=100, live_messages=10) is wanted


async def test_mail_is_taken_while_the_log_is_still_read(tmp_path: Path) -> None:
    spool = opened(tmp_path, 4096)
    old = [message(spool, body=b"x" * 1000 + b"\r\n") for _ in range(30)]
    await asyncio.gather(*(stored(spool, item) for item in old))
    spool.record_outcome(old[0].deliveries[0], Outcome.DELIVERED)
    await spool.close()
    spool = opened(tmp_path, 4096)
    new = message(spool)
    assert await stored(spool, new) is None
    assert new.id > old[-1].id
    assert spool.recovering
    assert not spool.synced
    spool.record_outcome(new.deliveries[0], Outcome.DELIVERED)
    assert [item.id for item in await spool.recover()] == [item.id for item in old[1:]]
    assert set(spool.messages) == {item.id for item in old[1:]}
    assert spool.live_octets == sum(item.size for item in old[1:])
    assert await spool.recover() == []
    await spool.close()


async def test_nothing_is_removed_while_the_log_is_still_read(tmp_path: Path) -> None:
    spool = opened(tmp_path, 4096)
    old = [message(spool, body=b"x" * 1000 + b"\r\n") for _ in range(30)]
    await asyncio.gather(*(stored(spool, item) for item in old))
    await spool.close()
    before = list_segments(tmp_path)
    spool = opened(tmp_path, 4096)
    for _ in range(20):
        item = message(spool, body=b"x" * 1000 + b"\r\n")
        await stored(spool, item)
        spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)
    assert set(before) <= set(list_segments(tmp_path))
    await spool.close()
    spool = opened(tmp_path, 4096)
    assert len(await spool.recover()) == 30
    await spool.close()


async def test_a_log_of_a_release_before_is_read(tmp_path: Path) -> None:
    """Its segments say nothing of those before them."""
    for number in (1, 2):
        meta = MessageMeta(100.0, b"a@x.test", (b"b@y.test",))
        head = encode_record(RecordKind.SEGMENT, number)
        body = b"body\r\n"
        item = encode_record(RecordKind.MESSAGE, (9 << 60) + number, meta, len(body), check_of([body])) + body
        segment_path(tmp_path, number).write_bytes(head + item)
    spool = opened(tmp_path)
    assert spool.next_id() > (9 << 60) + 2
    assert [item.id for item in await spool.recover()] == [(9 << 60) + 1, (9 << 60) + 2]
    await spool.close()


async def test_a_segment_that_goes_while_a_spool_is_looked_at_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(tmp_path, 4096)
    item = message(spool)
    await stored(spool, item)
    await spool.close()
    real = list_segments
    looks = iter([[1, 99], [1]])
    monkeypatch.setattr("postroad.spool.recovery.list_segments", lambda folder: next(looks, real(folder)))
    assert list(read_spool(tmp_path).messages) == [item.id]

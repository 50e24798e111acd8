"""What a spool knows besides messages: it survives restarts, and segments that go."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.spool.errors import SpoolError, SpoolFullError
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, Outcome
from postroad.spool.record import Origin, read_record
from postroad.spool.recovery import read_spool
from postroad.spool.segment import list_segments
from postroad.spool.standing import (
    REMEMBER,
    DrainOrder,
    Offer,
    Received,
    Standing,
    offered_record,
    order_record,
    settled_record,
)

HERE, THERE = b"h" * 16, b"t" * 16


def no_fatal(error: OSError) -> None:
    raise AssertionError(error)


def opened(folder: Path) -> Spool:
    return Spool(folder, fatal=no_fatal, segment_size=4096)


def message(spool: Spool, *, origin: Origin | None = None, size: int = 10) -> Message:
    made = Message(spool.next_id(), 100.0, b"a@x.test", (b"b@y.test", b"c@y.test"), size, content=(b"x" * size,))
    made.origin = origin
    made.accepted_as = origin.id if origin is not None else 0
    return made


async def stored(spool: Spool, item: Message, *open_ones: int, attempts: int = 0) -> SpoolError | None:
    item.deliveries = [Delivery(item, b"y.test", open_ones or (0, 1), attempts, due=500.0 if attempts else 100.0)]
    done: asyncio.Future[SpoolError | None] = asyncio.get_running_loop().create_future()
    spool.append(item, done.set_result)
    return await done


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the disk tells nobody
            await asyncio.sleep(0.005)


async def fill(spool: Spool) -> None:
    """Messages that come and go, until all segments of before have gone."""
    await spool.recover()
    before = set(list_segments(spool.folder))
    while before & set(list_segments(spool.folder)):
        item = message(spool, size=1000)
        await stored(spool, item)
        spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)


async def reopened(spool: Spool) -> Spool:
    await spool.close()
    return opened(spool.folder)


async def test_a_received_id_is_remembered_when_its_message_and_segment_are_gone(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    item = message(spool, origin=Origin(THERE, 7, 42, 1e12))
    await stored(spool, item)
    spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)
    await fill(spool)
    spool = await reopened(spool)
    await fill(spool)
    spool = await reopened(spool)
    assert spool.take_recovered() == []
    assert spool.standing.received == {THERE: Received(7, {42}, False, 1e12)}
    await spool.close()


async def test_a_received_message_keeps_its_state_in_one_record(tmp_path: Path) -> None:
    """A second record could be torn off by a crash, and the finished recipient would get the message again."""
    spool = opened(tmp_path)
    await stored(spool, message(spool, origin=Origin(THERE, 7, 42, 5.0)), 1, attempts=3)
    spool = await reopened(spool)
    (found,) = spool.take_recovered()
    assert found.queue_id == f"{42:x}"
    assert [(part.recipients, part.attempts, part.due) for part in found.deliveries] == [((1,), 3, 500.0)]
    await spool.close()


async def test_an_open_offer_and_the_drain_order_outlive_their_segments(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    offer = Offer(9, THERE, "10.0.0.1:8025", (1, 2))
    order = DrainOrder(("10.0.0.1:8025",), 5.0)
    spool.standing.offers[9], spool.standing.order = offer, order
    await spool.noted(offered_record(offer) + order_record(order))
    await fill(spool)
    spool = await reopened(spool)
    assert (spool.standing.offers, spool.standing.order) == ({9: offer}, order)
    spool.standing.offers.clear()
    spool.standing.order = None
    await spool.noted(settled_record(9, ()) + order_record(None))
    spool = await reopened(spool)
    assert spool.standing.empty
    await spool.close()


async def test_a_noted_record_is_durable_when_its_callback_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(tmp_path)
    syncs: list[set[int]] = []
    real = os.fdatasync

    def fdatasync(fd: int) -> None:
        written = set(read_spool(tmp_path).standing.offers)
        real(fd)
        syncs.append(written)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    await spool.noted(offered_record(Offer(9, THERE, "", ())))
    assert {9} in syncs
    await spool.close()


async def test_what_a_killed_process_wrote_is_synced_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(tmp_path)
    await stored(spool, message(spool))
    await spool.close()
    synced: list[str] = []
    real = os.fdatasync

    def fdatasync(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        real(fd)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    spool = opened(tmp_path)
    assert synced[0].endswith("0000000000000001.log")
    await spool.close()


async def test_a_full_disk_gives_all_room_back_but_what_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = opened(tmp_path)
    item = message(spool, origin=Origin(THERE, 7, 42, 1e12), size=3000)
    await stored(spool, item)
    spool.record_outcome(item.deliveries[0], Outcome.DELIVERED)
    real = os.writev

    def writev(fd: int, pieces: list[bytes]) -> int:
        if sum(map(len, pieces)) > 1000:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, pieces)

    monkeypatch.setattr(os, "writev", writev)
    assert isinstance(await stored(spool, message(spool, size=2000)), SpoolFullError)
    await eventually(lambda: spool.octets < 1000)
    spool = await reopened(spool)
    assert spool.standing.received[THERE].ids == {42}
    await spool.close()


async def test_a_message_that_was_refused_is_not_remembered_as_received(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(tmp_path)

    def writev(_fd: int, _pieces: list[bytes]) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "writev", writev)
    assert isinstance(await stored(spool, message(spool, origin=Origin(THERE, 7, 42, 5.0))), SpoolFullError)
    assert spool.standing.empty
    monkeypatch.undo()
    await spool.close()


def replayed(octets: bytes) -> Standing:
    standing = Standing()
    offset = 0
    while offset < len(octets):
        record = read_record(octets, offset)
        standing.replay(record)
        offset = record.end
    return standing


@given(
    st.lists(st.tuples(st.sampled_from((HERE, THERE)), st.integers(1, 4), st.integers(1, 9)), max_size=30),
    st.sets(st.integers(1, 99), max_size=4),
    st.booleans(),
)
def test_what_is_written_is_what_is_read(taken: list[tuple[bytes, int, int]], offers: set[int], drained: bool) -> None:
    standing = Standing()
    standing.order = DrainOrder(("h:1",), 3.0) if drained else None
    standing.offers = {number: Offer(number, THERE, "h:1", (number,)) for number in offers}
    for spool, batch, id in taken:
        standing.took(Origin(spool, batch, id, 10.0))
    again = replayed(standing.records(20.0) + standing.records(20.0))
    assert (again.order, again.offers, again.received) == (standing.order, standing.offers, standing.received)
    for spool, received in standing.received.items():
        assert received.batch == max(batch for other, batch, _ in taken if other == spool)


def test_a_later_batch_replaces_the_one_before_and_an_old_one_is_forgotten() -> None:
    standing = Standing()
    for batch, id in ((1, 10), (2, 20), (1, 11), (2, 21)):
        standing.took(Origin(THERE, batch, id, 100.0))
    assert standing.received == {THERE: Received(2, {20, 21}, False, 100.0)}
    assert standing.records(100.0 + REMEMBER)
    assert not standing.records(101.0 + REMEMBER)
    assert standing.empty


def test_a_spool_has_one_identity_for_ever(tmp_path: Path) -> None:
    first = SpoolIdentity(tmp_path)()
    assert SpoolIdentity(tmp_path)() == first
    (tmp_path / "other").mkdir()
    assert SpoolIdentity(tmp_path / "other")() != first
    (tmp_path / "identity").write_text("not hexadecimal")
    with pytest.raises(SpoolError, match="32 hexadecimal digits"):
        SpoolIdentity(tmp_path)()
    with pytest.raises(SpoolError, match="No such file"):
        SpoolIdentity(tmp_path / "nowhere")()

"""Log lines: one for each thing that happens, whole and in order, and never in the way of the mail."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from postroad.events.log import EventLog


@pytest.fixture
def writes() -> Iterator[tuple[EventLog, socket.socket]]:
    """A log, and where each of its writes is one datagram."""
    there, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with there, here:
        here.setblocking(False)
        yield EventLog(there.fileno()), here


def lines(octets: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in octets.splitlines() if line.startswith(b"{")]


def nothing_waits(reader: socket.socket) -> bool:
    with pytest.raises(BlockingIOError):
        reader.recv(1)
    return True


def test_a_line_has_event_level_time_and_facts(writes: tuple[EventLog, socket.socket]) -> None:
    log, reader = writes
    log.info("delivery", queue_id="1f", path=Path("/spool"), peers=["a", "b"])
    (line,) = lines(reader.recv(1 << 16))
    stamp = datetime.fromisoformat(line.pop("timestamp"))
    assert line == {"queue_id": "1f", "path": "/spool", "peers": ["a", "b"], "event": "delivery", "level": "info"}
    assert abs(datetime.now(UTC) - stamp) < timedelta(minutes=1)
    assert stamp.tzinfo == UTC


async def test_lines_of_one_turn_are_one_write(writes: tuple[EventLog, socket.socket]) -> None:
    log, reader = writes
    for number in range(3):
        log.info("reception", number=number)
    assert nothing_waits(reader)
    await asyncio.sleep(0)
    assert [line["number"] for line in lines(reader.recv(1 << 16))] == [0, 1, 2]
    log.info("reception", number=3)
    await asyncio.sleep(0)
    assert [line["number"] for line in lines(reader.recv(1 << 16))] == [3]


async def test_what_is_urgent_goes_out_at_once_behind_what_came_before(
    writes: tuple[EventLog, socket.socket],
) -> None:
    log, reader = writes
    for level in ("warning", "error", "critical"):
        log.info("before")
        getattr(log, level)("urgent")
        assert [(line["event"], line["level"]) for line in lines(reader.recv(1 << 16))] == [
            ("before", "info"),
            ("urgent", level),
        ]


async def test_a_thread_writes_at_once(writes: tuple[EventLog, socket.socket]) -> None:
    log, reader = writes
    await asyncio.to_thread(log.info, "from a thread")
    assert lines(reader.recv(1 << 16))[0]["event"] == "from a thread"


def test_a_loop_that_ended_before_its_turn_did_holds_nothing_back(writes: tuple[EventLog, socket.socket]) -> None:
    log, reader = writes

    async def say() -> None:
        log.info("said")
        asyncio.get_running_loop().stop()

    ended = asyncio.new_event_loop()
    task = ended.create_task(say())
    ended.run_forever()
    assert task.done()
    ended.close()

    async def say_again() -> None:
        log.info("said again")
        await asyncio.sleep(0)

    asyncio.run(say_again())
    log.flush()
    told = b""
    while "said again" not in [line["event"] for line in lines(told)]:
        told += reader.recv(1 << 16)
    assert [line["event"] for line in lines(told)] == ["said", "said again"]


@pytest.mark.parametrize("room", [0, 5000])
def test_lines_that_cannot_be_written_are_counted_and_told(room: int) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    log = EventLog(writer)
    try:
        fill(writer)
        os.read(reader, room)
        for number in range(5):
            log.info("missing", number=number, filler="x" * 8000)
        assert log.lost == 5
        octets = os.read(reader, 1 << 20)
        log.info("after")
        log.info("and so on")
        octets += os.read(reader, 1 << 20)
    finally:
        os.close(reader)
        os.close(writer)
    told = [json.loads(line) for line in octets.splitlines() if line.endswith(b"}")]
    assert [line["event"] for line in told] == ["log_lines_lost", "after", "and so on"]
    assert (told[0]["lines"], told[0]["level"]) == (5, "warning")


def fill(pipe: int) -> None:
    for size in (1 << 16, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(pipe, b"\n" * size)


def test_a_full_disk_raises_nothing() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        log = EventLog(full)
        log.info("reception")
        log.warning("refusal")
        assert log.lost == 2
    finally:
        os.close(full)

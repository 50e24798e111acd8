"""Connections to an MX host, over loopback."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from postroad_region.world.clock import Clock
from postroad_region.world.definition import Incident, Provider
from postroad_region.world.incidents import Incidents
from postroad_region.world.ledger import Ledger
from postroad_region.world.mailboxes import Mailboxes
from postroad_region.world.mx import MailHost
from postroad_region.world.verdict import Query

PROVIDER: dict[str, Any] = {
    "name": "gmail",
    "domain": "gmail.test",
    "name_server": "198.51.100.54",
    "mx": [{"host": "mx.gmail.test", "address": "198.51.100.25"}],
    "tls": "none",
    "recipients": [{"match": "unknown-*", "verdict": "unknown"}, {"match": "cut-*", "drop": "after"}],
}
HELLO = b"EHLO a.test\r\n"
ENVELOPE = b"MAIL FROM:<a@a.test>\r\nRCPT TO:<b@gmail.test>\r\n"


class Case:
    def __init__(self, folder: Path, resolver: Any, clock: Clock, **changes: Any) -> None:
        self.incidents = Incidents(folder / "incidents", [], clock)
        provider = Provider.model_validate(PROVIDER | changes)
        self.mailboxes = Mailboxes(provider, clock=clock, resolver=resolver, incidents=self.incidents)
        self.ledger = Ledger(folder / "ledger")
        self.mailboxes.record_in(self.ledger)
        self.host = MailHost(self.mailboxes, provider.mx[0], kind="none", tls=None, incidents=self.incidents)

    @asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self.host._connection, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            try:
                yield Client(reader, writer)
            finally:
                writer.close()

    def verdicts(self) -> list[str]:
        return [each.verdict for each in self.ledger.search(Query())]


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        async with asyncio.timeout(10):
            while True:
                line = (await self.reader.readline()).decode()
                if line[3:4] != "-":
                    return line.removesuffix("\r\n")

    async def say(self, octets: bytes) -> str:
        self.writer.write(octets)
        return await self.reply()


Make = Callable[..., Case]


@pytest.fixture
def make(tmp_path: Path, resolver: Any, clock: Clock) -> Make:
    return lambda **changes: Case(tmp_path, resolver, clock, **changes)


async def test_mail_is_taken_and_the_connection_counted(make: Make) -> None:
    case = make()
    async with case.client() as client:
        assert await client.reply() == "220 mx.gmail.test ESMTP"
        assert case.mailboxes.connections() == 1
        await client.say(HELLO)
        assert [(await client.say(ENVELOPE + b"DATA\r\n"))[:3], (await client.reply())[:3]] == ["250", "250"]
        assert (await client.reply())[:3] == "354"
        assert (await client.say(b"x" * 2_000_000 + b"\r\n.\r\n"))[:9] == "250 2.0.0"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 Bye"
        assert await client.reader.read() == b""
    assert case.verdicts() == ["accepted"]
    assert case.mailboxes.connections() == 0


async def test_a_full_disk_defers_a_refusal_and_nothing_breaks(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make()

    def full(_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with case.client() as client:
        await client.reply()
        await client.say(HELLO)
        await client.say(b"MAIL FROM:<a@a.test>\r\n")
        monkeypatch.setattr(case.ledger, "append", full)
        assert await client.say(b"RCPT TO:<unknown-1@gmail.test>\r\n") == "451 4.3.0 Try again later"
        monkeypatch.undo()
        assert (await client.say(b"RCPT TO:<unknown-1@gmail.test>\r\n"))[:9] == "550 5.1.1"
    assert case.verdicts() == ["unknown"]


async def test_who_says_nothing_is_sent_away(make: Make) -> None:
    async with make(timing={"idle": 0.1}).client() as client:
        await client.reply()
        assert await client.reply() == "421 4.4.2 mx.gmail.test Timeout, closing connection"
        assert await client.reader.read() == b""


async def test_replies_come_at_the_provider_s_pace(make: Make) -> None:
    timing = {"banner": 0.1, "reply": 0.1, "dot": 0.1}
    loop = asyncio.get_running_loop()
    async with make(timing=timing).client() as client:
        began = loop.time()
        await client.reply()
        times = [loop.time() - began]
        client.writer.write(HELLO + ENVELOPE)
        for _ in range(3):
            await client.reply()
            times.append(loop.time() - began)
        assert all(later - earlier > 0.08 for earlier, later in zip([0, *times], times, strict=False))


async def test_a_tarpit_is_for_those_who_were_refused(make: Make) -> None:
    loop = asyncio.get_running_loop()
    async with make(timing={"tarpit": 0.2, "tarpit_after": 2}).client() as client:
        await client.reply()
        await client.say(HELLO)
        await client.say(b"MAIL FROM:<>\r\n")
        took = []
        for number in range(3):
            began = loop.time()
            assert (await client.say(f"RCPT TO:<unknown-{number}@gmail.test>\r\n".encode()))[:3] == "550"
            took.append(loop.time() - began > 0.15)
        assert took == [False, True, True]


async def test_a_connection_cut_behind_the_dot_is_reset_and_the_message_is_there(make: Make) -> None:
    case = make()
    async with case.client() as client:
        await client.reply()
        await client.say(HELLO)
        client.writer.write(b"MAIL FROM:<>\r\nRCPT TO:<cut-1@gmail.test>\r\nDATA\r\n")
        assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        client.writer.write(b"x\r\n.\r\n")
        with pytest.raises(ConnectionResetError):
            await client.reader.read()
    assert case.verdicts() == ["accepted"]


async def test_an_outage_by_421_greets_nobody(make: Make) -> None:
    case = make()
    case.incidents.begin(Incident(kind="outage", how="421", duration=60))
    async with case.client() as client:
        assert await client.reply() == "421 4.3.2 mx.gmail.test Service not available"
        assert await client.reader.read() == b""


async def test_an_outage_that_hangs_says_nothing_until_it_ends(make: Make, clock: Clock) -> None:
    case = make()
    case.incidents.begin(Incident(kind="outage", how="hang", duration=60))
    async with case.client() as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.reader.read()
        clock.advance(61)
        with pytest.raises(ConnectionResetError):
            await client.reader.read()


async def test_a_client_that_reads_nothing_is_cut(make: Make) -> None:
    case = make(timing={"idle": 0.3})
    async with case.client() as client:
        await client.reply()
        raw: socket.socket = client.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(10):
            while case.mailboxes.connections():
                client.writer.write(b"NOOP\r\n" * 20_000)
                await asyncio.sleep(0.01)

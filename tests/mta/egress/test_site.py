"""A site against mail hosts on loopback, in one process: what goes where, and what comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from postroad.egress.budget import ConnectionBudget
from postroad.egress.connector import Connector
from postroad.egress.dialler import DirectDialler
from postroad.egress.hosts import HostMemory
from postroad.egress.session import EgressSession
from postroad.egress.site import EgressPolicy, Site
from postroad.egress.source import Source
from postroad.routing.route import Host, Route
from postroad.smtp.replies import Reply
from postroad.spool.message import Delivery, Message, group_recipients

USUAL: dict[str, str | None] = {"EHLO": "250-x\r\n250-PIPELINING\r\n250 CHUNKING", "DATA": "354 go", "QUIT": "221 bye"}


class Peer:
    """A mail host that answers as told; None answers nothing, and keeps the connection."""

    def __init__(self, **answers: str | None) -> None:
        self.answers = USUAL | {key.upper().replace("DOT", "."): value for key, value in answers.items()}
        self.commands: list[str] = []
        self.messages: list[bytes] = []
        self.connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> "Peer":
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)

        def say(verb: str) -> None:
            answer = self.answers.get(verb, "250 ok")
            if answer is not None:
                writer.write(answer.encode() + b"\r\n")

        if "BANNER" not in self.answers:
            writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            command = line.decode().strip()
            verb = command.split(" ")[0]
            self.commands.append(command)
            if verb == "BDAT":
                self.messages.append(await reader.readexactly(int(command.split(" ")[1])))
            say(verb)
            if verb == "DATA" and (self.answers["DATA"] or "").startswith("354"):
                self.messages.append(await reader.readuntil(b".\r\n"))
                say(".")
        writer.close()


class Owner:
    """Who decides about deliveries here: nobody, they are only noted."""

    def __init__(self) -> None:
        self.answers: list[tuple[Delivery, tuple[Reply, ...]]] = []
        self.unreached: list[Delivery] = []

    def content_of(self, delivery: Delivery, use: Callable[[tuple[bytes, ...] | None], None]) -> None:
        asyncio.get_running_loop().call_soon(use, (b"from disk\r\n",))

    def answered(self, delivery: Delivery, replies: tuple[Reply, ...], session: EgressSession) -> None:
        self.answers.append((delivery, replies))

    def unreachable(self, deliveries: list[Delivery], reply: Reply) -> None:
        self.unreached += deliveries

    def no_proxy(self, deliveries: list[Delivery], reason: str) -> None:
        raise AssertionError(reason)

    def not_begun(self, delivery: Delivery) -> None:
        raise AssertionError(delivery)

    def site_empty(self, site: Site) -> None:
        pass

    @property
    def codes(self) -> list[int]:
        return [reply.code for _, replies in self.answers for reply in replies]


class World:
    def __init__(self) -> None:
        self.owner = Owner()
        self.hosts = HostMemory(clock=asyncio.get_running_loop().time)
        self.budget = ConnectionBudget(10)
        self.peers: list[Peer] = []

    async def site(self, *, per_transaction: int = 100, per_site: int = 2, **answers: str | None) -> tuple[Site, Peer]:
        peer = await Peer(**answers).start()
        self.peers.append(peer)
        dialler = DirectDialler([Source("", "me.test")], timeout=5)
        connector = Connector(dialler, self.hosts, tls=None, chunk_limit=1000)
        route = Route("site", ((Host("mx.test", ("127.0.0.1",)),),), peer.port)
        policy = EgressPolicy(per_site=per_site, per_transaction=per_transaction)
        return Site(route, owner=self.owner, connector=connector, budget=self.budget, policy=policy), peer


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for peer in made.peers:
        await peer.stop()


def deliveries(*recipients: bytes, content: tuple[bytes, ...] | None = (b"body\r\n",)) -> list[Delivery]:
    recipients = recipients or (b"b@y.test",)
    message = Message(1, 0.0, b"a@x.test", recipients, 6, content=content)
    message.deliveries = [Delivery(message, domain, indexes) for domain, indexes in group_recipients(recipients)]
    return list(message.deliveries)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end tells nobody
            await asyncio.sleep(0.005)


async def test_recipients_of_one_message_share_a_transaction_across_domains(world: World) -> None:
    site, peer = await world.site()
    for delivery in deliveries(b"b@y.test", b"c@z.test", b"d@y.test"):
        site.put(delivery)
    await until(lambda: len(world.owner.answers) == 2)
    assert len(peer.messages) == 1
    assert world.owner.codes == [250, 250, 250]
    assert [len(replies) for _, replies in world.owner.answers] == [2, 1]


async def test_a_transaction_has_no_more_recipients_than_allowed(world: World) -> None:
    site, peer = await world.site(per_transaction=2)
    for delivery in deliveries(*(b"%d@y.test" % number for number in range(5))):
        site.put(delivery)
    await until(lambda: len(world.owner.codes) == 5)
    assert len(peer.messages) == 3


async def test_content_on_disk_is_read_while_the_message_before_is_answered(world: World) -> None:
    site, peer = await world.site(per_site=1)
    for _ in range(3):
        site.put(deliveries(content=None)[0])
    await until(lambda: world.owner.codes == [250, 250, 250])
    assert all(message.startswith(b"from disk") for message in peer.messages)
    assert peer.connections == 1


async def test_a_connection_that_stalls_before_the_content_gives_its_delivery_back_unharmed(world: World) -> None:
    site, peer = await world.site(mail=None)
    site.put(deliveries()[0])
    await until(lambda: "DATA" in peer.commands)
    assert site.shed(1) == 1
    await until(lambda: peer.connections == 2)
    assert world.owner.answers == []
    assert site.stalls(0.0)  # until it answers
    # The second one has said all that it says before it stalls too: only the third is answered.
    await until(lambda: peer.commands.count("DATA") == 2)
    peer.answers["MAIL"] = "250 ok"
    assert site.shed(1) == 1
    await until(lambda: world.owner.codes == [250])
    assert not site.stalls(asyncio.get_running_loop().time())


async def test_a_message_that_is_sent_is_waited_for_and_its_connection_is_not_counted(world: World) -> None:
    site, peer = await world.site(dot=None)
    site.put(deliveries()[0])
    await until(lambda: peer.messages)
    assert (site.shed(1), world.budget.used) == (1, 0)
    assert (site.busy, site.connections) == (1, 1)
    assert site.shed(1) == 0
    await peer.stop()
    await until(lambda: world.owner.codes == [421])
    assert (world.budget.used, site.connections) == (0, 0)


async def test_what_no_timeout_ended_is_taken_back(world: World) -> None:
    site, peer = await world.site(rcpt=None)
    site.put(deliveries()[0])
    await until(lambda: "DATA" in peer.commands)
    now = asyncio.get_running_loop().time()
    assert site.take_back(now, limit=900) == 0
    assert site.take_back(now + 1000, limit=900) == 1
    assert world.owner.codes == [451]
    assert site.empty
    assert world.budget.used == 0


async def test_a_host_that_takes_no_connection_is_remembered(world: World) -> None:
    site, peer = await world.site()
    await peer.stop()
    site.put(deliveries()[0])
    await until(lambda: world.owner.unreached)
    assert world.hosts.unreachable("127.0.0.1") is not None
    assert world.budget.used == 0


async def test_a_host_that_drops_input_behind_the_content_is_found_out(world: World) -> None:
    site, peer = await world.site(per_site=1)
    peer.answers["."] = "250 taken"

    async def forgetful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads as if nothing could come behind the content, and closes on the surprise."""
        peer.connections += 1
        writer.write(b"220 hi\r\n")
        while line := await reader.readline():
            verb = line.split()[0].decode()
            answers = USUAL | {"EHLO": "250-x\r\n250 PIPELINING"}
            writer.write((answers.get(verb) or "250 ok").encode() + b"\r\n")
            if verb == "DATA":
                peer.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                buffered = cast(bytearray, reader._buffer)  # type: ignore[attr-defined]
                writer.write(b"250 taken\r\n")
                if buffered:
                    break
        writer.close()

    await peer.stop()
    server = await asyncio.start_server(forgetful, "127.0.0.1", peer.port)
    for _ in range(8):
        site.put(deliveries()[0])
    await until(lambda: len(world.owner.codes) == 8)
    assert (world.owner.codes, len(peer.messages)) == ([250] * 8, 8)
    assert not world.hosts.overlaps("127.0.0.1")
    assert peer.connections == 3  # two to learn, one for the rest
    server.close()

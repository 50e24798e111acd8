"""MTAs in one process, without sockets: real spools, queues, drainers and receivers, on a network that misbehaves."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from postroad.admin.http import AdminRequest, Answer
from postroad.build import Build
from postroad.drain.client import Done, _judge
from postroad.drain.drainer import Drainer
from postroad.drain.receiver import Receiver
from postroad.drain.verdict import NotSent, Refused, Unanswered
from postroad.metrics import MtaMetrics
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.resident import ResidentContent
from postroad.queue.retry import RetryPolicy
from postroad.routing.route import Route
from postroad.settings.mta import DrainSettings
from postroad.settings.units import Endpoint
from postroad.spool.identity import SpoolIdentity
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, group_recipients

Reply = Done | Refused | NotSent | Unanswered


class QuietLog:
    def __getattr__(self, _level: str) -> Any:
        return lambda *_words, **_facts: None


class OneRoute:
    """Every domain goes to the same site."""

    route = Route("site", (), 25)

    def known(self, domain: bytes) -> Route:
        return self.route

    async def find(self, domain: bytes) -> Route:
        return self.route


class WaitingSite:
    """A site whose connections never come: what it was given waits, and comes back when it drains."""

    name = "site"
    busy = 0

    def __init__(self) -> None:
        self.ready: list[Delivery] = []

    @property
    def waiting(self) -> int:
        return len(self.ready)

    def put(self, delivery: Delivery) -> None:
        self.ready.append(delivery)

    def drain(self) -> list[Delivery]:
        ready, self.ready = self.ready, []
        return ready

    def withdraw(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        taken = [delivery for delivery in self.ready if wanted(delivery)]
        self.ready = [delivery for delivery in self.ready if not wanted(delivery)]
        return taken

    def resume(self) -> None:
        pass

    def renew(self) -> None:
        pass

    def abort(self, *, keep_awaiting_dot: bool) -> None:
        pass


class OpenDoors:
    sessions = 0
    closed = False

    def close(self) -> None:
        self.closed = True

    def open(self) -> None:
        self.closed = False


class Network:
    """Requests arrive, or don't, or later, or their answers don't; `faults` is how likely each misfortune is."""

    def __init__(self, seed: int, faults: float) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.nodes: dict[str, Node] = {}
        self.late: list[tuple[str, str, str, bytes]] = []
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def carry(self, address: str, method: str, path: str, body: bytes) -> Reply:
        await self.turns()
        misfortune = self.random.random()
        if misfortune < self.faults * 0.2:
            return NotSent("no connection")
        if misfortune < self.faults * 0.5:
            self.late.append((address, method, path, body))
            return Unanswered("it is still on its way")
        work = self.begin(address, method, path, body)
        if misfortune < self.faults * 0.7:
            return Unanswered("it arrived, nobody waits for its answer")
        done, _ = await asyncio.wait({work}, timeout=5)
        if not done or misfortune < self.faults:
            return Unanswered("its answer was lost")
        answer = work.result()
        return _judge(answer.status, _json(answer))

    def begin(self, address: str, method: str, path: str, body: bytes) -> asyncio.Task[Answer]:
        """A request arrives, at whatever process is there now."""
        task = asyncio.get_running_loop().create_task(self.nodes[address].serve(method, path, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def deliver_late(self) -> None:
        """What was on its way arrives."""
        late, self.late = self.late, []
        self.random.shuffle(late)
        for request in late:
            self.begin(*request)

    async def turns(self) -> None:
        for _ in range(self.random.randrange(20)):
            await asyncio.sleep(0)


class Line:
    def __init__(self, network: Network, address: str) -> None:
        self._network = network
        self._address = address

    async def ask(self, method: str, path: str, body: Sequence[bytes] = ()) -> Reply:
        return await self._network.carry(self._address, method, path, b"".join(body))


class Node:
    """One MTA; `kill` leaves its folder as a process that was killed would."""

    def __init__(self, folder: Path, address: str, network: Network, *, room: int | None = None) -> None:
        self.folder = folder
        self.address = address
        self.network = network
        self.room = room
        self.host = "one"
        network.nodes[address] = self
        self.start()

    def start(self) -> None:
        self.spool = Spool(self.folder, fatal=_fail, segment_size=8192)
        metrics = MtaMetrics(Build("0", "none"))
        log: Any = QuietLog()
        doors: Any = OpenDoors()
        bouncer: Any = None
        self.dispatcher = Dispatcher(
            spool=self.spool,
            router=OneRoute(),
            new_site=lambda route, owner: WaitingSite(),  # type: ignore[arg-type,return-value]
            policy=RetryPolicy(),
            bouncer=bouncer,
            resident=ResidentContent(0),
            metrics=metrics,
            log=log,
        )
        identity = SpoolIdentity(self.folder)
        self.drainer = Drainer(
            self.spool,
            identity,
            self.dispatcher,
            doors,
            settings=DrainSettings.model_validate({"retry": "10ms", "batch_messages": 5, "accept_for": "0s"}),
            host=self.host,
            cut_after=1.0,
            connect=lambda target: Line(self.network, str(target)),
            metrics=metrics,
            log=log,
        )
        self.receiver = Receiver(
            self.spool,
            identity,
            lambda message: self.dispatcher.restore([message]),
            not_taking=self._not_taking,
            stopping=lambda: False,
            max_message=1000,
            max_batch=100_000,
            metrics=metrics,
            log=log,
        )
        self.drainer.take_up(self.spool.take_recovered())

    def _not_taking(self) -> tuple[int, str] | None:
        if self.drainer.draining:
            return 409, "is draining itself"
        if self.room is not None and len(self.dispatcher.messages) >= self.room:
            return 507, "has no room in its spool"
        return None

    async def serve(self, method: str, path: str, body: bytes) -> Answer:
        path, _, query = path.partition("?")
        request = AdminRequest(dict([query.partition("=")[::2]]), bytearray(body), "here")
        if method == "GET":
            return self.receiver.greet(request)
        answer = self.receiver.receive if path == "/spool/receive" else self.receiver.withdraw
        return await answer(request)

    async def accept(self, count: int) -> list[int]:
        """New messages, one of whose recipients has its answer already."""
        messages = []
        for _ in range(count):
            message = Message(
                self.spool.next_id(), 100.0, b"a@x.test", (b"b@y.test", b"c@z.test"), 6, content=(b"body\r\n",)
            )
            message.deliveries = [
                Delivery(message, domain, indexes, due=100.0)
                for domain, indexes in group_recipients(message.recipients)
            ]
            stored: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self.spool.append(message, stored.set_result)
            assert await stored is None
            message.content = None
            self.dispatcher.submit(message)
            messages.append(message.id)
        return messages

    async def kill(self) -> None:
        """End at once: nothing more is written."""
        spool: Any = self.spool
        spool._schedule_flush = lambda: None
        spool._start_sync = lambda: None
        for waiting in (spool._appends, spool._outcomes, spool._copies):
            waiting.clear()
        await self.drainer.stop()
        self.dispatcher.hold()
        spool._committer.stop()

    @property
    def live(self) -> list[str]:
        """What the spool holds that isn't finished, by the id of its first acceptance."""
        return [message.queue_id for message in self.dispatcher.messages.values()]

    @property
    def deliverable(self) -> list[str]:
        """What may be delivered from here at any moment."""
        sites: Any = self.dispatcher.sites.values()
        ready = {delivery.message.id for site in sites for delivery in site.ready}
        ready |= {delivery.message.id for delivery in self.dispatcher.scheduled_deliveries()}
        return [self.dispatcher.messages[id].queue_id for id in ready]


def _json(answer: Answer) -> Any:
    import json

    return json.loads(answer.body)


def _fail(error: OSError) -> None:
    raise AssertionError(error)


def _endpoint(address: str) -> Endpoint:
    host, _, port = address.rpartition(":")
    return Endpoint(host, int(port))

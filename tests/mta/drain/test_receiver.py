"""What the receiving side answers: each message once, and nothing after a withdrawal."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nodes import Network, Node
from postroad.admin.http import AdminRequest, Answer
from postroad.drain.wire import encode_batch
from postroad.spool.message import Delivery, Message

THERE, OTHER = b"t" * 16, b"o" * 16


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "b", "b:1", Network(0, 0.0))
    yield made
    await made.kill()


def identity(node: Node) -> bytes:
    return bytes.fromhex((node.folder / "identity").read_text())


def batch(node: Node, number: int, *ids: int, origin: bytes = THERE, to: bytes | None = None) -> bytes:
    content = []
    for id in ids:
        item = Message(id, 100.0, b"a@x.test", (b"b@y.test", b"c@y.test"), 0)
        item.deliveries = [Delivery(item, b"y.test", (1,), 2, 500.0, "450 later")]
        content.append((item, b"body\r\n"))
    return b"".join(encode_batch(number, origin, to or identity(node), content))


async def receive(node: Node, octets: bytes) -> tuple[int, dict[str, Any]]:
    return told(await node.receiver.receive(AdminRequest({}, bytearray(octets), "10.0.0.1")))


async def withdraw(node: Node, number: int, origin: bytes = THERE, to: bytes | None = None) -> tuple[int, Any]:
    wanted = {"origin": origin.hex(), "to": (to or identity(node)).hex(), "batch": number}
    return told(await node.receiver.withdraw(AdminRequest({}, bytearray(json.dumps(wanted).encode()), "10.0.0.1")))


def greet(node: Node) -> tuple[int, dict[str, Any]]:
    return told(node.receiver.greet(AdminRequest({"origin": THERE.hex()}, bytearray(), "10.0.0.1")))


def told(answer: Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, json.loads(answer.body)


async def test_a_batch_is_taken_once_also_after_a_restart(node: Node) -> None:
    greet(node)
    status, said = await receive(node, batch(node, 5, 1, 2))
    assert (status, said["taken"], said["already"]) == (200, [1, 2], [])
    await node.kill()
    node.start()
    status, said = await receive(node, batch(node, 5, 1, 2, 3))
    assert (status, said["taken"], said["already"]) == (200, [3], [1, 2])
    await node.kill()
    node.start()
    assert sorted(node.live) == ["1", "2", "3"]
    (delivery, *_) = node.dispatcher.scheduled_deliveries()
    assert (delivery.recipients, delivery.attempts, delivery.due, delivery.reply) == ((1,), 2, 500.0, "450 later")


async def test_two_requests_for_one_batch_at_a_time_are_one(node: Node) -> None:
    greet(node)
    answers = await asyncio.gather(*(receive(node, batch(node, 5, 1, 2)) for _ in range(5)))
    assert sorted(len(said["taken"]) for _, said in answers) == [0, 0, 0, 0, 2]
    assert sorted(node.live) == ["1", "2"]


async def test_nothing_is_taken_of_a_batch_that_was_withdrawn_also_after_a_restart(node: Node) -> None:
    greet(node)
    await receive(node, batch(node, 5, 1))
    assert (await withdraw(node, 5))[1]["taken"] == [1]
    assert (await withdraw(node, 6))[1]["taken"] == []
    for _ in range(2):
        assert (await receive(node, batch(node, 6, 2)))[0] == 410
        assert (await receive(node, batch(node, 5, 3)))[0] == 410
        assert (await withdraw(node, 6))[1]["taken"] == []
        assert (await withdraw(node, 5))[0] == 410
        await node.kill()
        node.start()
    assert (await receive(node, batch(node, 7, 2)))[1]["taken"] == [2]
    assert greet(node)[1]["last_batch"] == 7


async def test_a_batch_for_another_spool_is_refused_and_so_is_its_withdrawal(node: Node) -> None:
    greet(node)
    here = identity(node)
    assert (await receive(node, batch(node, 5, 1, to=OTHER)))[0] == 421
    assert (await withdraw(node, 5, to=OTHER))[0] == 421
    assert (await receive(node, batch(node, 5, 1, origin=here)))[0] == 421
    assert node.live == []


async def test_a_draining_mta_takes_nothing_but_tells_what_it_took(node: Node) -> None:
    greet(node)
    await receive(node, batch(node, 5, 1))
    await node.drainer.begin(("c:1",))
    assert greet(node) == (409, {"refused": "is draining itself", "error": "is draining itself"})
    assert (await receive(node, batch(node, 5, 1, 2)))[0] == 409
    assert (await withdraw(node, 5))[1]["taken"] == [1]


async def test_what_is_no_batch_changes_nothing(node: Node) -> None:
    greet(node)
    for octets in (b"", b"nonsense", batch(node, 5, 1)[:-1]):
        assert (await receive(node, octets))[0] == 400
    for octets in (b"", b"{}", b'{"origin":"zz","to":"","batch":1}'):
        answer = await node.receiver.withdraw(AdminRequest({}, bytearray(octets), "10.0.0.1"))
        assert answer.status == 400
    assert node.spool.standing.empty

"""A drain is of a host: its spool on another one is as any."""

import asyncio
from pathlib import Path

import pytest
from nodes import Network, Node


async def drained(folder: Path) -> Node:
    """An MTA with two messages that is told to drain to a host that isn't there, and is killed."""
    node = Node(folder, "a:1", Network(0, faults=0.0))
    await node.accept(2)
    await node.drainer.begin(["b:1"])
    await node.kill()
    return node


@pytest.mark.parametrize(
    ("host", "goes_on"),
    [("one", True), ("another", False), ("", False)],
    ids=["the same host", "another host", "one that doesn't know itself"],
)
def test_the_order_holds_on_the_host_that_got_it(tmp_path: Path, host: str, goes_on: bool) -> None:
    async def run() -> None:
        node = await drained(tmp_path)
        for _ in range(2):
            node.host = host
            node.start()
            assert node.drainer.draining is goes_on
            assert len(node.live) == 2
            await node.kill()

    asyncio.run(run())


def test_an_order_that_names_no_host_holds_on_any(tmp_path: Path) -> None:
    async def run() -> None:
        node = Node(tmp_path, "a:1", Network(0, faults=0.0))
        await node.kill()
        node.host = ""
        node.start()
        await node.drainer.begin(["b:1"])
        await node.kill()
        node.host = "another"
        node.start()
        assert node.drainer.draining
        await node.kill()

    asyncio.run(run())

"""Drains over a network that loses, delays and reorders, with processes killed at random.

Nowhere and never may a message be deliverable in two spools; in the end each is in exactly one.
POSTROAD_SEEDS says how many campaigns there are, POSTROAD_SEED begins with another one.
"""

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from nodes import Network, Node

SEEDS = range(int(os.environ.get("POSTROAD_SEED", "0")), 10**9)[: int(os.environ.get("POSTROAD_SEEDS", "10"))]
A, B, C = "a:1", "b:1", "c:1"
MESSAGES = 40
STEPS = 120


class Campaign:
    def __init__(self, folder: Path, seed: int) -> None:
        self.network = Network(seed, faults=0.5)
        self.random = self.network.random
        room = self.random.choice((None, 15))
        self.nodes = {address: Node(folder / address[0], address, self.network, room=room) for address in (A, B, C)}
        self.accepted: set[str] = set()
        self.kills = 0

    async def step(self) -> None:
        """Something happens."""
        a = self.nodes[A]
        match self.random.randrange(12):
            case 0:
                await self.kill(self.random.choice((A, B, C)))
            case 1:
                await a.drainer.begin(self.random.choice(((B,), (C,), (B, C))))
            case 2 if self.random.random() < 0.3:
                await a.drainer.cancel()
            case 3 | 4:
                self.network.deliver_late()
            case 5 if len(self.accepted) < MESSAGES * 2:
                self.accepted |= {f"{id:x}" for id in await a.accept(2)}
            case _:
                await asyncio.sleep(0.002 * self.random.random())
        await self.network.turns()
        self.check()

    async def kill(self, address: str) -> None:
        self.kills += 1
        await self.nodes[address].kill()
        self.nodes[address].start()

    def check(self) -> None:
        """Whatever goes on, nothing can be delivered from two places."""
        places = Counter(name for node in self.nodes.values() for name in node.deliverable)
        assert [name for name, count in places.items() if count > 1] == []
        assert self.accepted <= {name for node in self.nodes.values() for name in node.live}

    async def end(self, address: str) -> None:
        """The network heals, and the drain comes to its end."""
        self.network.faults = 0.0
        for node in self.nodes.values():
            node.room = None
        a = self.nodes[A]
        await a.drainer.begin((address,))
        async with asyncio.timeout(30):
            while not a.drainer.progress()["safe"]:
                self.network.deliver_late()
                await asyncio.sleep(0.005)
                self.check()
        self.network.deliver_late()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_message_is_in_one_spool_whatever_happens(tmp_path: Path, seed: int) -> None:
    campaign = Campaign(tmp_path, seed)
    campaign.accepted |= {f"{id:x}" for id in await campaign.nodes[A].accept(MESSAGES)}
    await campaign.nodes[A].drainer.begin((B, C))
    for _ in range(STEPS):
        await campaign.step()
    await campaign.end(campaign.random.choice((B, C)))
    for address in (A, B, C):
        await campaign.kill(address)
    assert campaign.nodes[A].live == []
    assert sorted(campaign.nodes[B].live + campaign.nodes[C].live) == sorted(campaign.accepted)
    assert campaign.kills > 3
    for node in campaign.nodes.values():
        await node.kill()

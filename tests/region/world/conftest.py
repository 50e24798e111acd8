"""A resolver that knows what a test says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from postroad_region.world.spf import LookupFailedError


@dataclass
class FakeResolver:
    """Stands beside `postroad_region.world.lookups.Lookups`."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    exchanges: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    async def txt(self, name: str) -> Sequence[bytes]:
        self._ask(name)
        return self.texts.get(name, [])

    async def addresses(self, name: str) -> Sequence[str]:
        self._ask(name)
        return self.hosts.get(name, [])

    async def mail_hosts(self, name: str) -> Sequence[str]:
        self._ask(name)
        return self.exchanges.get(name, [])

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise LookupFailedError(name)


@pytest.fixture
def resolver() -> FakeResolver:
    return FakeResolver()

"""A resolver that knows what a test says, and a clock that stands until it is moved."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from postroad_region.world.clock import Clock
from postroad_region.world.decisions.spf import LookupFailedError


@dataclass
class FakeResolver:
    """Stands beside `postroad_region.world.lookups.Lookups`."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    hosts: dict[str, list[str]] = field(default_factory=dict)
    exchanges: dict[str, list[str]] = field(default_factory=dict)
    pointers: dict[str, list[str]] = field(default_factory=dict)
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

    async def names(self, address: str) -> Sequence[str]:
        self._ask(address)
        return self.pointers.get(address, [])

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.broken:
            raise LookupFailedError(name)


@dataclass
class RealTime:
    """Seconds since the epoch, as the test says."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def resolver() -> FakeResolver:
    return FakeResolver()


@pytest.fixture
def time() -> RealTime:
    return RealTime()


@pytest.fixture
def make_clock(tmp_path: Path, time: RealTime) -> Callable[..., Clock]:
    """A clock over the same file each time, as after a restart."""

    def make(day: float = 86_400.0) -> Clock:
        return Clock(tmp_path / "clock.json", day=day, real=time)

    return make


@pytest.fixture
def clock(make_clock: Callable[..., Clock]) -> Clock:
    return make_clock()

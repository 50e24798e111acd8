"""Fixtures of real daemons, as in tests/mta; each test gets its own, and what it started is stopped."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "mta"))

from daemons import MtaDaemon, ProxyDaemon, ScriptedHost, Sink

T = TypeVar("T")


@pytest.fixture
def stopped_after() -> Iterator[Callable[[Any], Any]]:
    """Call with something that has `stop()`; it is called when the test is over."""
    with ExitStack() as stack:

        def keep(item: Any) -> Any:
            stack.callback(item.stop)
            return item

        yield keep


@pytest.fixture
def sink(stopped_after: Callable[[Any], Any]) -> Sink:
    return stopped_after(Sink().start())


@pytest.fixture
def new_mta(tmp_path: Path, stopped_after: Callable[[Any], Any]) -> Callable[..., MtaDaemon]:
    def make(**options: Any) -> MtaDaemon:
        mta = stopped_after(MtaDaemon(tmp_path, **options))
        mta.start()
        return mta

    return make


@pytest.fixture
def new_proxy(tmp_path: Path, stopped_after: Callable[[Any], Any]) -> Callable[..., ProxyDaemon]:
    def make(**options: Any) -> ProxyDaemon:
        proxy = stopped_after(ProxyDaemon(tmp_path, **options))
        proxy.start()
        return proxy

    return make


@pytest.fixture
def new_host(stopped_after: Callable[[Any], Any]) -> Callable[..., ScriptedHost]:
    return lambda **answers: stopped_after(ScriptedHost(**answers))

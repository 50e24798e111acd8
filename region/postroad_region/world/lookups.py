"""The providers' own DNS: their questions, through the resolver they are given."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A

from postroad_region.world.decisions.spf import LookupFailedError

_DEADLINE = 3.0
_CACHED = 2000
_FAILED_SECONDS = 5.0
T = TypeVar("T")


class Lookups:
    """A resolver with a cache that honours TTLs.

    Args:
        server: address of a recursive resolver.
    """

    def __init__(self, server: str) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [server]
        self._resolver.lifetime = _DEADLINE
        self._resolver.timeout = 1.0
        self._resolver.cache = dns.resolver.LRUCache(_CACHED)

    async def txt(self, name: str) -> Sequence[bytes]:
        """TXT records, the strings of each joined."""
        return [b"".join(each.strings) for each in await self._ask(name, "TXT") if isinstance(each, TXT)]

    async def addresses(self, name: str) -> Sequence[str]:
        """A records."""
        return [each.address for each in await self._ask(name, "A") if isinstance(each, A)]

    async def mail_hosts(self, name: str) -> Sequence[str]:
        """Names of MX records, the preferred first."""
        found = [each for each in await self._ask(name, "MX") if isinstance(each, MX)]
        return [each.exchange.to_text() for each in sorted(found, key=lambda each: each.preference)]

    async def names(self, address: str) -> Sequence[str]:
        """PTR records of an address."""
        reverse = dns.reversename.from_address(address).to_text()
        return [each.target.to_text() for each in await self._ask(reverse, "PTR") if isinstance(each, PTR)]

    async def _ask(self, name: str, kind: str) -> Sequence[dns.rdata.Rdata]:
        asked = domain_name(name)
        if asked is None:
            return []
        try:
            answer = await self._resolver.resolve(asked, kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailedError(str(error)) from error
        return list(answer)


def domain_name(text: str) -> dns.name.Name | None:
    """A name as clients write it; None where none can be: such a name doesn't exist."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, ValueError):
        return None


class Remembered(Generic[T]):
    """Answers of a slow question for a while; who asks while it is being answered waits for the same answer.

    Args:
        seconds: how long an answer holds.
        failed: which answers are failures; they hold for five seconds only, as what the question raises does.
    """

    def __init__(self, seconds: float, *, failed: Callable[[T], bool] = lambda _: False) -> None:
        self._seconds = seconds
        self._failed = failed
        self._answers: dict[str, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer for `key`, asked anew when none young enough is there."""
        loop = asyncio.get_running_loop()
        known = self._answers.get(key)
        if known is None or (known[1].done() and loop.time() - known[0] > self._holds(known[1])):
            if len(self._answers) >= _CACHED:
                self._answers.clear()
            known = (loop.time(), loop.create_task(_answer(ask)))
            self._answers[key] = known
        if known[1].done():
            return known[1].result()
        # One client that hangs up must not cancel the question for the others.
        return await asyncio.shield(known[1])

    def _holds(self, task: asyncio.Task[T]) -> float:
        if task.cancelled() or task.exception() is not None or self._failed(task.result()):
            return _FAILED_SECONDS
        return self._seconds


async def _answer(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()

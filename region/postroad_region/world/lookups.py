"""The providers' own DNS: their questions, through the resolver they are given."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A

from postroad_region.world.spf import LookupFailedError

_DEADLINE = 3.0
_CACHED = 2000


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
        """Names of MX records."""
        return [each.exchange.to_text() for each in await self._ask(name, "MX") if isinstance(each, MX)]

    async def _ask(self, name: str, kind: str) -> Sequence[dns.rdata.Rdata]:
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.EmptyLabel):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailedError(str(error)) from error
        return list(answer)


class Remembered:
    """Answers of a slow question for a while; who asks while it is being answered waits for the same answer.

    Args:
        seconds: how long an answer holds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._answers: dict[str, tuple[float, asyncio.Task[str]]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[str]]) -> str:
        """The answer for `key`, asked anew when none younger than the time given is there."""
        loop = asyncio.get_running_loop()
        known = self._answers.get(key)
        if known is None or (known[1].done() and loop.time() - known[0] > self._seconds):
            if len(self._answers) >= _CACHED:
                self._answers.clear()
            known = (loop.time(), loop.create_task(_answer(ask)))
            self._answers[key] = known
        # One client that hangs up must not cancel the question for the others.
        return await asyncio.shield(known[1])


async def _answer(ask: Callable[[], Awaitable[str]]) -> str:
    return await ask()

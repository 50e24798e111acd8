"""Mail hosts: what connections taught about each address, for as long as that is worth knowing."""

from collections.abc import Callable

from postroad.routing.cache import TtlCache

_HOUR = 3600.0
UNREACHABLE_FOR = 60.0
"""Seconds for which an address that took no connection is passed over while another may take one."""
_FAILURES = 2
"""One broken connection may be chance; a second one without a success between them is not."""


class HostMemory:
    """Shared by all sites, as one address serves many. Everything in it is forgotten within the hour.

    Args:
        clock: seconds that never go back.
        size: addresses of which each fact is kept.
    """

    def __init__(self, *, clock: Callable[[], float], size: int = 10_000) -> None:
        self._broken_tls: TtlCache[str, bool] = TtlCache(size=size, clock=clock)
        self._unreachable: TtlCache[str, str] = TtlCache(size=size, clock=clock)
        self._overlap_failures: TtlCache[str, int] = TtlCache(size=size, clock=clock)
        self._no_chunks: TtlCache[str, bool] = TtlCache(size=size, clock=clock)
        self._accepts: TtlCache[str, bool] = TtlCache(size=size, clock=clock)

    def plain(self, address: str) -> bool:
        """Whether TLS broke there."""
        return self._broken_tls.get(address) is not None

    def tls_broke(self, address: str) -> None:
        """No TLS with it for an hour."""
        self._broken_tls.put(address, True, _HOUR)

    def unreachable(self, address: str) -> str | None:
        """Why it took no connection a moment ago; None if it may."""
        return self._unreachable.get(address)

    def failed(self, address: str, why: str) -> None:
        """It took no connection."""
        self._unreachable.put(address, why, UNREACHABLE_FOR)

    def reached(self, address: str) -> None:
        """It takes connections."""
        self._unreachable.forget(address)

    def overlaps(self, address: str) -> bool:
        """Whether the next message may be begun before the reply to the one before."""
        return (self._overlap_failures.get(address) or 0) < _FAILURES

    def overlap_worked(self, address: str) -> None:
        """It understood a message that was begun so."""
        self._overlap_failures.forget(address)

    def overlap_failed(self, address: str) -> None:
        """A connection broke with a message begun so; after a second time, one after the other for an hour."""
        self._overlap_failures.put(address, (self._overlap_failures.get(address) or 0) + 1, _HOUR)

    def chunks(self, address: str) -> bool:
        """Whether BDAT is worth it: it isn't known to break, and the last message's recipients were accepted."""
        return self._accepts.get(address) is not None and self._no_chunks.get(address) is None

    def chunking_broke(self, address: str) -> None:
        """No BDAT for an hour."""
        self._no_chunks.put(address, True, _HOUR)

    def accepts(self, address: str, *, taken: bool) -> None:
        """Whether it took the last message."""
        if taken:
            self._accepts.put(address, True, _HOUR)
        else:
            self._accepts.forget(address)

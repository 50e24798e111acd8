"""Who may not try another password for a while."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

Checked = Callable[[str, str, bool], None]
"""Takes a client's address, an identity, and whether the password was right."""
MAX_TRACKED = 50_000
"""Addresses and identities that are remembered; the longest unseen is forgotten first."""


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0
    until: float = 0.0


class Lockout:
    """Counts failed authentications by client address and by identity, and locks what fails too often.

    An identity that is locked can still be used from addresses where it was used with success before: else anybody
    could lock out a sender by guessing at its password.

    Args:
        failures: so many within `window` seconds lock for `duration` seconds.
        clock: seconds, growing.
        tell: hears of each password that was checked here, for others to `note`.
    """

    def __init__(
        self,
        *,
        failures: int,
        window: float,
        duration: float,
        clock: Callable[[], float],
        tell: Checked = lambda *_: None,
    ) -> None:
        self._limit = failures
        self._window = window
        self._duration = duration
        self._clock = clock
        self._tell = tell
        self._failures: OrderedDict[str, _Failures] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def locked(self, address: str, identity: str) -> bool:
        """Whether this client may not try this identity now."""
        network = network_of(address)
        if self._is_locked(f"address {network}"):
            return True
        return self._is_locked(f"identity {identity}") and f"{network} {identity}" not in self._known

    def failed(self, address: str, identity: str) -> bool:
        """A wrong password, or an identity that isn't there; whether that locked anything."""
        self._tell(address, identity, False)
        return self._wrong(address, identity)

    def succeeded(self, address: str, identity: str) -> None:
        """The right password: the identity's failures elsewhere don't matter to this client."""
        self._tell(address, identity, True)
        self._right(address, identity)

    def note(self, address: str, identity: str, *, right: bool) -> None:
        """A password was checked elsewhere, and counts here too."""
        if right:
            self._right(address, identity)
        else:
            self._wrong(address, identity)

    def _wrong(self, address: str, identity: str) -> bool:
        both = [self._count(f"address {network_of(address)}"), self._count(f"identity {identity}")]
        return any(both)

    def _right(self, address: str, identity: str) -> None:
        network = network_of(address)
        self._known[f"{network} {identity}"] = None
        self._known.move_to_end(f"{network} {identity}")
        if len(self._known) > MAX_TRACKED:
            self._known.popitem(last=False)

    def _is_locked(self, key: str) -> bool:
        found = self._failures.get(key)
        return found is not None and self._clock() < found.until

    def _count(self, key: str) -> bool:
        now = self._clock()
        found = self._failures.get(key)
        if found is None or now >= found.since + self._window:
            found = self._failures[key] = _Failures(now, until=found.until if found is not None else 0.0)
            if len(self._failures) > MAX_TRACKED:
                self._failures.popitem(last=False)
        self._failures.move_to_end(key)
        found.count += 1
        if found.count < self._limit:
            return False
        # What comes after the lock is counted anew.
        self._failures[key] = _Failures(now, until=now + self._duration)
        return True


def network_of(address: str) -> str:
    """What one client may have many addresses of: an IPv4 address, or the /64 of an IPv6 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))

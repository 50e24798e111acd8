"""Routes: what is known of the way to a domain."""

from dataclasses import dataclass
from typing import Protocol

from postroad.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Host:
    """A mail host: its name, and the addresses it has."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Hosts that take a domain's mail, in groups of equal preference, best first."""

    site: str
    """The same for all domains that are served by the same hosts: connections and limits are per site."""
    groups: tuple[tuple[Host, ...], ...]
    port: int = 25


@dataclass(frozen=True, slots=True)
class NoRoute:
    """There is no way now (4yz) or at all (5yz)."""

    reply: Reply


class Router(Protocol):
    """Finds the way to a domain."""

    def known(self, domain: bytes) -> Route | NoRoute | None:
        """The route if it is known without asking anyone."""

    async def find(self, domain: bytes) -> Route | NoRoute:
        """The route, asking DNS if need be. Never raises."""

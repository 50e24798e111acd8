"""Orders of operators on queued mail, as the log keeps them: suspended, or to be bounced, until they expire."""

from enum import Enum

import msgspec


class Action(Enum):
    """What is done with mail that an order covers."""

    SUSPEND = "suspend"
    """It waits; that counts as no attempt."""
    BOUNCE = "bounce"
    """It fails now, and its senders are told."""
    DISCARD = "discard"
    """It fails now, and nobody is told but the log."""


class Scope(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """Which mail an order covers: that which has all that is said here. What is None may be anything."""

    tenant: str | None = None
    campaign: str | None = None
    domain: str | None = None
    """In lower case, as recipients have it."""
    site: str | None = None
    source: str | None = None
    """Mail that can leave only from this source, or from others that are covered too."""

    def __str__(self) -> str:
        return " ".join(
            f"{name}={value}" for name in self.__struct_fields__ if (value := getattr(self, name)) is not None
        )


class Order(msgspec.Struct, array_like=True, frozen=True):
    """One order. Its number is never given to another one."""

    number: int
    action: Action
    scope: Scope
    reason: str
    since: float
    """Unix time."""
    until: float
    """Unix time; from then on it means nothing."""


class Orders(msgspec.Struct, array_like=True, frozen=True):
    """All that stand: what a record of the log says."""

    orders: tuple[Order, ...] = ()

"""The MTAs that a spool is moved to, and whether delivery goes on meanwhile."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    """What is known of a target."""

    ASKING = "asking"
    """Nothing yet."""
    USABLE = "usable"
    REFUSES = "refuses"
    UNREACHABLE = "unreachable"


@dataclass(slots=True)
class Target:
    """One MTA that a spool is moved to."""

    address: str
    """HOST:PORT."""
    state: State = State.ASKING
    reason: str = ""
    """Why it isn't usable."""
    spool: bytes = b""
    """Identity of its spool, once it has told."""
    last_batch: int = 0
    """The last batch of ours that it knows of."""
    max_message: int = 0
    """Octets of the largest message that it takes."""
    max_batch: int = 0
    """Octets of the largest batch, unless that is a single message."""
    moved: int = 0
    declined: dict[int, str] = field(default_factory=dict)
    """Messages that it will never take, with the reason."""

    @property
    def usable(self) -> bool:
        """Whether batches go there."""
        return self.state is State.USABLE


def keeps_delivering(
    states: Collection[State], *, draining: bool, keep_delivering: bool, only_unmovable_left: bool
) -> bool:
    """Whether deliveries begin.

    Args:
        keep_delivering: the setting for a drain that has no usable target.
        only_unmovable_left: all usable targets have declined all that could be moved.
    """
    if not draining or not states:
        return True
    if State.USABLE in states and not only_unmovable_left:
        return False
    if State.ASKING in states:
        return False
    return keep_delivering


def why_not_moving(targets: Collection[Target]) -> str:
    """In one line, why nothing is moved; empty while something can be."""
    if not targets:
        return "no target was named: what is queued is delivered from here"
    if any(target.usable or target.state is State.ASKING for target in targets):
        return ""
    return "no target takes mail: " + "; ".join(f"{target.address} {target.reason}" for target in targets)

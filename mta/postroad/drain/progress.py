"""How far a drain is, and whether the host may go."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from postroad.drain.targets import Target, why_not_moving


@dataclass(frozen=True, slots=True)
class Progress:
    """What there is to see of a drain at one moment."""

    draining: bool
    since: float
    """Unix time of the order; 0 if there is none."""
    messages: int
    """In the spool, those that were offered included."""
    offered: int
    """Of them, those that another MTA may have taken."""
    in_flight: int
    """Deliveries under way."""
    sessions: int
    """Clients that are connected."""
    doors_closed: bool
    """New clients get 421."""
    delivering: bool
    synced: bool
    """All of this would survive power loss."""
    unreadable: int
    """Messages that can't be read from disk."""
    unmovable: str
    """Why what is left isn't taken by any usable target; empty if it isn't so."""

    @property
    def safe(self) -> bool:
        """Whether nothing is lost if the host and its disk end now."""
        nothing_here = not (self.messages or self.offered or self.sessions or self.in_flight)
        return self.draining and self.doors_closed and nothing_here and self.synced

    def waiting_for(self, targets: Collection[Target]) -> list[str]:
        """What keeps the host from going; empty once it is safe."""
        if not self.draining:
            return ["no drain: start one with postroad drain --to HOST", *self._open_offers(targets)]
        reasons = []
        if self.messages:
            reasons.append(f"{self.messages} messages in the spool")
            if reason := why_not_moving(targets) or self.unmovable:
                reasons.append(reason)
        reasons += self._open_offers(targets)
        if self.unreadable:
            reasons.append(f"{self.unreadable} messages cannot be read from disk: keep the volume, see the log")
        if self.in_flight:
            reasons.append(f"{self.in_flight} deliveries under way")
        if not self.doors_closed:
            reasons.append("new sessions are still taken")
        if self.sessions:
            reasons.append(f"{self.sessions} sessions")
        if not (reasons or self.synced):
            reasons.append("the last records are on their way to the disk")
        return reasons

    def _open_offers(self, targets: Collection[Target]) -> list[str]:
        """What is said of offers whose targets don't answer."""
        silent = [target for target in targets if not target.usable]
        if not self.offered or not silent:
            return []
        said = "; ".join(f"{target.address}: {target.reason}" for target in silent if target.reason) or "asking"
        return [f"{self.offered} messages were offered, and it isn't known who has them ({said})"]

    def as_dict(self, targets: Collection[Target]) -> dict[str, Any]:
        """For JSON."""
        return {
            "draining": self.draining,
            "since": self.since,
            "safe": self.safe,
            "messages": self.messages,
            "offered": self.offered,
            "moved": sum(target.moved for target in targets),
            "in_flight": self.in_flight,
            "sessions": self.sessions,
            "accepting": not self.doors_closed,
            "delivering": self.delivering,
            "waiting_for": self.waiting_for(targets),
            "targets": [
                {"address": item.address, "state": item.state.value, "reason": item.reason, "moved": item.moved}
                for item in targets
            ],
        }

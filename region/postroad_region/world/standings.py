"""What one provider knows of each source: volumes, reputation, acquaintances. It learns from verdicts alone."""

from collections import OrderedDict
from dataclasses import asdict
from typing import Any

from postroad_region.world.decisions import greylist, reputation
from postroad_region.world.decisions.greylist import Acquaintance
from postroad_region.world.decisions.limits import SlidingCount, Tries
from postroad_region.world.decisions.reputation import Event, Record, Standing
from postroad_region.world.definition.provider import Provider
from postroad_region.world.verdict import ACCEPTED, COMPLAINT, INCIDENT, Verdict

_HOUR = 3600.0
_MINUTE = 60.0
_REMEMBERED = 100_000
THROTTLED = "throttled"
UNKNOWN = "unknown"
GREYLISTED = "greylisted"
_EVENTS = {
    ACCEPTED: Event.ACCEPTED,
    COMPLAINT: Event.COMPLAINT,
    THROTTLED: Event.PUSHED,
    UNKNOWN: Event.UNKNOWN,
}

Triple = tuple[str, str, str]


class Standings:
    """See the module; all times are the world's."""

    def __init__(self, provider: Provider) -> None:
        self._policy = provider.reputation
        self._greylist = provider.greylist
        self.hour = SlidingCount(_HOUR)
        self.minute = SlidingCount(_MINUTE)
        self.tries = Tries()
        self._records: dict[str, Record] = {}
        self._known: OrderedDict[Triple, Acquaintance] = OrderedDict()
        self._passed: dict[str, int] = {}

    def learn(self, verdict: Verdict) -> None:
        """Take up what a verdict means."""
        now = verdict.world_time
        if verdict.verdict == ACCEPTED:
            self.hour.add(verdict.source, now)
            self.minute.add(verdict.source, now)
        elif verdict.recipient and verdict.verdict != COMPLAINT:
            self.tries.add((verdict.verdict, verdict.source, verdict.sender, verdict.recipient))
        if (event := _EVENTS.get(verdict.verdict)) is not None and verdict.fate != INCIDENT:
            self._observe(verdict.source, event, now)
        if verdict.trap:
            self._observe(verdict.source, Event.TRAP, now)
        if verdict.verdict in (ACCEPTED, GREYLISTED):
            self._acquaint(verdict, now)

    def standing(self, source: str, now: float) -> Standing:
        """What a source may do."""
        if self._policy is None:
            return Standing.GOOD
        record = self._records.get(source) or reputation.newcomer(now, self._policy)
        return reputation.standing(reputation.advanced(record, now, self._policy), now, self._policy)

    def is_acquainted(self, source: str, sender: str, recipient: str, now: float) -> bool:
        """Whether the greylist lets a try pass."""
        if self._greylist is None or self._passed.get(greylist.neighbourhood(source), 0) >= self._greylist.trust_after:
            return True
        known = self._known.get((greylist.neighbourhood(source), sender, recipient))
        return greylist.passes(known, now, self._greylist)

    def table(self, now: float) -> dict[str, dict[str, Any]]:
        """Every source's reputation, as JSON."""
        policy = self._policy
        if policy is None:
            return {}
        records = {source: reputation.advanced(record, now, policy) for source, record in self._records.items()}
        return {
            source: {
                "score": round(reputation.score(record, policy), 4),
                "standing": reputation.standing(record, now, policy).value,
                "allowance": int(reputation.allowance(record, policy)),
                "usual": round(record.usual, 1),
                "blocked_for": max(0.0, round(record.blocked_until - now, 1)),
                "today": {
                    name: getattr(record, name) for name in ("accepted", "pushed", "unknown", "complaints", "traps")
                },
            }
            for source, record in sorted(records.items())
        }

    def clear(self) -> None:
        """Forget everything."""
        self.hour.clear()
        self.minute.clear()
        self.tries.clear()
        self._records.clear()
        self._known.clear()
        self._passed.clear()

    def kept(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "hour": self.hour.kept(),
            "minute": self.minute.kept(),
            "tries": self.tries.kept(),
            "records": {source: asdict(record) for source, record in self._records.items()},
            "known": [[*triple, known.first, known.passed] for triple, known in self._known.items()],
            "passed": self._passed,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `kept` gave."""
        self.hour.restore(kept["hour"])
        self.minute.restore(kept["minute"])
        self.tries.restore(kept["tries"])
        self._records = {source: Record.of(record) for source, record in kept["records"].items()}
        self._known = OrderedDict(((a, b, c), Acquaintance(first, passed)) for a, b, c, first, passed in kept["known"])
        self._passed = dict(kept["passed"])

    def _observe(self, source: str, event: Event, now: float) -> None:
        if self._policy is not None:
            record = self._records.get(source) or reputation.newcomer(now, self._policy)
            self._records[source] = reputation.observed(record, event, now, self._policy)

    def _acquaint(self, verdict: Verdict, now: float) -> None:
        if self._greylist is None:
            return
        near = greylist.neighbourhood(verdict.source)
        triple = (near, verdict.sender, verdict.recipient)
        before = self._known.get(triple)
        if before is None and verdict.verdict == ACCEPTED:
            return  # let pass for its source's sake
        after = greylist.remembered(before, now, self._greylist)
        if after.passed is not None and (before is None or before.passed is None):
            self._passed[near] = self._passed.get(near, 0) + 1
        self._known[triple] = after
        self._known.move_to_end(triple)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

"""What became of batches of `make send`, read on from where the last question ended."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from postroad_region.world.ledger import Ledger, Position
from postroad_region.world.verdict import ACCEPTED, Query

_KNOWN = 8
_SHOWN = 100


@dataclass(slots=True)
class _Batch:
    after: Position | None = None
    copies: dict[str, int] = field(default_factory=dict)


class Batches:
    """Summaries of the batches asked for last."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._batches: OrderedDict[str, _Batch] = OrderedDict()
        self._lock = asyncio.Lock()

    async def summary(self, name: str) -> dict[str, object]:
        """How many copies of a batch were accepted, how many different ones, and the first hundred that came twice."""
        async with self._lock:
            batch = self._batches.setdefault(name, _Batch())
            self._batches.move_to_end(name)
            if len(self._batches) > _KNOWN:
                self._batches.popitem(last=False)
            end = self._ledger.position()
            for page in self._ledger.pages(Query(batch=name, verdict=ACCEPTED), after=batch.after):
                for verdict in page:
                    key = f"{verdict.send} {verdict.recipient}"
                    batch.copies[key] = batch.copies.get(key, 0) + 1
                await asyncio.sleep(0)
            batch.after = end
        copies = batch.copies
        twice = {key: count for key, count in copies.items() if count > 1}
        return {
            "batch": name,
            "copies": sum(copies.values()),
            "distinct": len(copies),
            "duplicates": sum(twice.values()) - len(twice),
            "twice": dict(sorted(twice.items())[:_SHOWN]),
        }

    def clear(self) -> None:
        """Forget all."""
        self._batches.clear()

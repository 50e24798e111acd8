"""A measured case, and the document that a suite writes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was measured.

    Args:
        value: what the rounds come to: their median, unless the name says otherwise (`…-p95`).
        rounds: what each round gave, in `unit`.
        peer: who was measured beside it in the same run; empty for none.
        ratio: value to peer_value.
        seconds: what it took to measure.
    """

    name: str
    unit: str
    value: float
    rounds: Sequence[float]
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    seconds: float | None = None


def median(name: str, unit: str, rounds: Sequence[float], **notes: Any) -> Case:
    """A case whose value is the median of its rounds."""
    return Case(name, unit, round(statistics.median(rounds), 3), [round(value, 3) for value in rounds], notes=notes)


def percentile(name: str, unit: str, rounds: Sequence[float], share: float, **notes: Any) -> Case:
    """A case whose value is the smallest round that at least `share` of the rounds don't exceed (nearest rank)."""
    ordered = sorted(rounds)
    rank = max(1, -(-len(ordered) * round(share * 100) // 100))
    return Case(name, unit, round(ordered[rank - 1], 3), [round(value, 3) for value in rounds], notes=notes)


def write(folder: Path, suite: str, machine: dict[str, Any], cases: Sequence[Case], *, whole: bool = True) -> str:
    """Write `<suite>.json` into the folder and return it as one line.

    Args:
        whole: the cases are all there are; else those that the file has of the same machine stay beside them.
    """
    file = folder / f"{suite}.json"
    listed = [asdict(case) for case in cases]
    before = json.loads(file.read_text()) if file.exists() and not whole else None
    if before is not None and _same(before["machine"], machine):
        listed = _merged(before["cases"], listed)
    document = {"suite": suite, "machine": machine, "cases": listed}
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n")
    return json.dumps(document)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two results are of one machine: all but the load that was there."""
    return {**one, "load_before": None} == {**other, "load_before": None}


def _merged(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """New cases in the places of old ones of the same name, then those that are new by name."""
    fresh = {str(case["name"]): case for case in new}
    return [fresh.pop(str(case["name"]), case) for case in old] + list(fresh.values())

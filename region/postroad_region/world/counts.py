"""Totals of what the providers answered."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from postroad_region.world.verdict import ACCEPTED, Verdict

_BATCHES = 1000


class Counts:
    """Totals by provider, source address, verdict and authentication."""

    def __init__(self) -> None:
        self._verdicts: Counter[tuple[str, str, str]] = Counter()
        self._checks: Counter[tuple[str, str, str]] = Counter()
        self._batches: dict[str, int] = {}

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        provider, name = verdict.provider, verdict.verdict
        self._verdicts[provider, verdict.source, name] += 1
        if name != ACCEPTED:
            return
        if batch := verdict.batch:
            self._batches[batch] = self._batches.pop(batch, 0) + 1
            if len(self._batches) > _BATCHES:
                del self._batches[next(iter(self._batches))]
        checks = self._checks
        checks[provider, "tls", "yes" if verdict.tls else "no"] += 1
        for check, outcome in (
            ("spf", verdict.spf),
            ("dkim", verdict.dkim),
            ("dmarc", verdict.dmarc),
            ("reverse", verdict.reverse),
            ("folder", verdict.folder),
        ):
            if outcome:
                checks[provider, check, outcome] += 1

    def table(self, providers: Sequence[str]) -> dict[str, Any]:
        """Everything as JSON, of batches the last thousand; each of `providers` is in it, with mail or without."""
        table: dict[str, Any] = {
            "verdicts": Counter(),
            "batches": dict(self._batches),
            "providers": {name: {"verdicts": Counter(), "sources": {}, "checks": {}} for name in providers},
        }
        for (provider, source, verdict), count in sorted(self._verdicts.items()):
            entry = table["providers"].setdefault(provider, {"verdicts": Counter(), "sources": {}, "checks": {}})
            table["verdicts"][verdict] += count
            entry["verdicts"][verdict] += count
            entry["sources"].setdefault(source, {})[verdict] = count
        for (provider, check, outcome), count in sorted(self._checks.items()):
            table["providers"][provider]["checks"].setdefault(check, {})[outcome] = count
        return table

    def verdicts(self) -> Iterator[tuple[str, str, str, int]]:
        """Provider, source, verdict and how often."""
        for (provider, source, verdict), count in sorted(self._verdicts.items()):
            yield provider, source, verdict, count

    def checks(self) -> Iterator[tuple[str, str, str, int]]:
        """Provider, check, outcome and how often, of accepted mail."""
        for (provider, check, outcome), count in sorted(self._checks.items()):
            yield provider, check, outcome, count

    def kept(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "verdicts": [[*key, count] for key, count in self._verdicts.items()],
            "checks": [[*key, count] for key, count in self._checks.items()],
            "batches": self._batches,
        }

    def restore(self, kept: dict[str, Any]) -> None:
        """Take up what `kept` gave."""
        self._verdicts = Counter({(a, b, c): count for a, b, c, count in kept["verdicts"]})
        self._checks = Counter({(a, b, c): count for a, b, c, count in kept["checks"]})
        self._batches = dict(kept["batches"])

    def clear(self) -> None:
        """Back to nothing."""
        self._verdicts.clear()
        self._checks.clear()
        self._batches.clear()

"""What the providers saw, for ever: one line of JSON for each recipient's verdict, appended before the reply is given.

A line is in the kernel's hands when `append` returns, so it survives the process, killed or not; it isn't synced, so
the last seconds before a power cut may be missing. Messages themselves aren't kept.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import chain, islice
from pathlib import Path
from typing import Any

from postroad_region.errors import RegionError

ACCEPTED = "accepted"
_BATCH_HEADER_SEPARATOR = "-"
_PAGE = 1000
_BATCHES = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a provider answered for one recipient (or, with no recipient, for a connection or sender).

    Args:
        at: seconds since the epoch.
        source: address of the client.
        verdict: `accepted`, or what the provider calls the refusal.
        transaction: the same for all recipients of one message; empty before DATA.
        send: the message's X-Postroad-Send, `<batch>-<n>`.
        spf: outcome of RFC 7208, or empty where it wasn't asked.
        dkim: `pass`, `fail`, `none`, `unchecked` or `temperror`; empty before DATA.
    """

    at: float
    provider: str
    source: str
    verdict: str
    code: int
    sender: str = ""
    recipient: str = ""
    transaction: str = ""
    message_id: str = ""
    send: str = ""
    campaign: str = ""
    size: int = 0
    tls: bool = False
    spf: str = ""
    dkim: str = ""

    @property
    def batch(self) -> str:
        """What of `send` precedes the last hyphen."""
        return self.send.rpartition(_BATCH_HEADER_SEPARATOR)[0]

    def line(self) -> bytes:
        """As it stands in the ledger; empty fields are left out."""
        kept = {name: getattr(self, name) for name in _REQUIRED}
        kept.update((name, value) for name in _OPTIONAL if (value := getattr(self, name)))
        return json.dumps(kept).encode() + b"\n"


_REQUIRED = tuple(each.name for each in fields(Verdict) if each.default is MISSING)
_OPTIONAL = tuple(each.name for each in fields(Verdict) if each.default is not MISSING)
_FIELDS = frozenset({*_REQUIRED, *_OPTIONAL})


@dataclass(frozen=True, slots=True)
class Query:
    """Which verdicts are wanted; what is None doesn't matter.

    Args:
        campaign: the message's X-Postroad-Campaign, or its batch: the header is removed on the way out.
        since: seconds since the epoch.
    """

    provider: str | None = None
    verdict: str | None = None
    campaign: str | None = None
    batch: str | None = None
    source: str | None = None
    since: float | None = None

    def may_want(self, line: bytes) -> bool:
        """Whether a line of the ledger is worth being read; cheap, for batches."""
        return self.batch is None or json.dumps(self.batch)[1:-1].encode() in line

    def wants(self, verdict: Verdict) -> bool:
        """Whether a verdict is asked for."""
        return (
            (self.provider is None or verdict.provider == self.provider)
            and (self.verdict is None or verdict.verdict == self.verdict)
            and (self.campaign is None or self.campaign in (verdict.campaign, verdict.batch))
            and (self.batch is None or verdict.batch == self.batch)
            and (self.source is None or verdict.source == self.source)
            and (self.since is None or verdict.at >= self.since)
        )


class Counts:
    """Totals by provider, source address, verdict and authentication."""

    def __init__(self) -> None:
        self._verdicts: Counter[tuple[str, str, str]] = Counter()
        self._checks: Counter[tuple[str, str, str]] = Counter()
        self._batches: dict[str, int] = {}

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        self._verdicts[verdict.provider, verdict.source, verdict.verdict] += 1
        if verdict.verdict == ACCEPTED and (batch := verdict.batch):
            self._batches[batch] = self._batches.pop(batch, 0) + 1
            if len(self._batches) > _BATCHES:
                del self._batches[next(iter(self._batches))]
        for check, outcome in (("spf", verdict.spf), ("dkim", verdict.dkim), ("tls", "yes" if verdict.tls else "no")):
            if verdict.verdict == ACCEPTED and outcome:
                self._checks[verdict.provider, check, outcome] += 1

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

    def clear(self) -> None:
        """Back to nothing."""
        self._verdicts.clear()
        self._checks.clear()
        self._batches.clear()


class Ledger:
    """The file, and the counts of all that is in it.

    Args:
        file: made when missing; what a torn last line holds was never answered and is cut off.
        replay: given every verdict of the past, oldest first.

    Raises:
        RegionError: a line is no verdict.
    """

    def __init__(self, file: Path, *, replay: Callable[[Verdict], None] = lambda _: None) -> None:
        self.counts = Counts()
        self._file = file
        self._descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                try:
                    verdict = _parse(line)
                except (ValueError, TypeError, AttributeError) as error:
                    raise RegionError(f"{file}: line {number} is no verdict", remedy="move the file away") from error
                self.counts.add(verdict)
                replay(verdict)
        os.ftruncate(self._descriptor, end)

    def append(self, verdicts: Sequence[Verdict]) -> None:
        """Add verdicts, all or none.

        Raises:
            OSError: they couldn't be written (disk full); nothing was counted.
        """
        octets = b"".join(verdict.line() for verdict in verdicts)
        start = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, octets) != len(octets):
            os.ftruncate(self._descriptor, start)
            raise OSError(f"{self._file}: no space for {len(octets)} octets")
        for verdict in verdicts:
            self.counts.add(verdict)

    def search(self, query: Query) -> Iterator[Verdict]:
        """The verdicts wanted, oldest first, up to those appended when the search began."""
        return chain.from_iterable(self.pages(query))

    def pages(self, query: Query) -> Iterator[list[Verdict]]:
        """The same, in a list (maybe an empty one) for each thousand lines read, for who has other things to do."""
        end = os.fstat(self._descriptor).st_size
        with self._file.open("rb") as lines:
            position = 0
            while page := list(islice(lines, _PAGE)):
                found: list[Verdict] = []
                for line in page:
                    position += len(line)
                    if position > end or not line.endswith(b"\n"):
                        yield found
                        return
                    if query.may_want(line) and query.wants(verdict := _parse(line)):
                        found.append(verdict)
                yield found

    def clear(self) -> None:
        """Forget everything."""
        os.ftruncate(self._descriptor, 0)
        self.counts.clear()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def _parse(line: bytes) -> Verdict:
    kept = json.loads(line)
    return Verdict(**{name: value for name, value in kept.items() if name in _FIELDS})

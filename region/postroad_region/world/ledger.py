"""What the providers saw, for ever: one line of JSON for each recipient's verdict, appended before the reply is given.

A line is in the kernel's hands when `append` returns, so it survives the process, killed or not; it isn't synced, so
the last seconds before a power cut may be missing. Messages themselves aren't kept.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

ACCEPTED = "accepted"
_BATCH_HEADER_SEPARATOR = "-"


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
        return json.dumps({name: value for name, value in asdict(self).items() if value}).encode() + b"\n"


_FIELDS = frozenset(each.name for each in fields(Verdict))


@dataclass(frozen=True, slots=True)
class Query:
    """Which verdicts are wanted; what is None doesn't matter."""

    provider: str | None = None
    verdict: str | None = None
    campaign: str | None = None
    batch: str | None = None
    source: str | None = None
    since: float | None = None

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

    def add(self, verdict: Verdict) -> None:
        """Count one."""
        self._verdicts[verdict.provider, verdict.source, verdict.verdict] += 1
        for check, outcome in (("spf", verdict.spf), ("dkim", verdict.dkim), ("tls", "yes" if verdict.tls else "no")):
            if verdict.verdict == ACCEPTED and outcome:
                self._checks[verdict.provider, check, outcome] += 1

    def table(self, providers: Sequence[str]) -> dict[str, Any]:
        """Everything as JSON; each of `providers` is there, whether it saw mail or not."""
        table: dict[str, Any] = {
            "verdicts": Counter(),
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


class Ledger:
    """The file, and the counts of all that is in it.

    Args:
        file: made when missing; what a torn last line holds was never answered and is cut off.
        replay: given every verdict of the past, oldest first.
    """

    def __init__(self, file: Path, *, replay: Callable[[Verdict], None] = lambda _: None) -> None:
        self.counts = Counts()
        self._file = file
        self._descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = 0
        with file.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                verdict = _parse(line)
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
        end = os.fstat(self._descriptor).st_size
        position = 0
        with self._file.open("rb") as lines:
            for line in lines:
                position += len(line)
                if position > end or not line.endswith(b"\n"):
                    return
                verdict = _parse(line)
                if query.wants(verdict):
                    yield verdict

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

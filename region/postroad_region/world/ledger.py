"""What the providers saw: a line of JSON for each recipient's verdict, appended before the reply is given.

A line is in the kernel's hands when `append` returns, so what was answered 250 survives the process, killed or not. It
isn't synced: the box's internet needn't survive a power cut of the machine that it is simulated on, and a sync for each
reply would be what is measured then. Messages themselves aren't kept.

The lines are in segments, `000001.jsonl` and so on. When a segment is full the next begins, with `000002.state` beside
it: counts, and all that the providers know at that moment. A start restores the last of those and reads one segment.
The oldest segments go when all together are too big; their counts stay.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from postroad_region.atomic_file import write_atomically
from postroad_region.errors import RegionError
from postroad_region.world.counts import Counts
from postroad_region.world.verdict import Query, Verdict, parse

_PAGE = 1000
_SEGMENT = 67_108_864
_KEEP = 1_073_741_824


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place between two lines."""

    segment: int
    offset: int

    def __str__(self) -> str:
        """`<segment>.<offset>`."""
        return f"{self.segment}.{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """From its text.

        Raises:
            ValueError: it isn't one.
        """
        segment, separator, offset = text.partition(".")
        if not (separator and segment.isdigit() and offset.isdigit()):
            raise ValueError(f"{text!r} is no position in the ledger")
        return cls(int(segment), int(offset))


class Ledger:
    """The segments of a folder, and the counts of all that ever was in them.

    Args:
        folder: made when missing; what a torn last line holds was never answered and is cut off.
        segment: octets after which a new one begins.
        keep: octets of all, beyond which the oldest segments go.
        state: what is to be kept beside the counts when a segment begins.
        restore: given that at the start.
        replay: given every verdict after that, oldest first.

    Raises:
        RegionError: a line is no verdict, or a state can't be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment: int = _SEGMENT,
        keep: int = _KEEP,
        state: Callable[[], Any] = lambda: None,
        restore: Callable[[Any], None] = lambda _: None,
        replay: Callable[[Verdict], None] = lambda _: None,
    ) -> None:
        self.counts = Counts()
        self._folder = folder
        self._segment = segment
        self._keep = keep
        self._state = state
        folder.mkdir(parents=True, exist_ok=True)
        self._number = max(self._numbers(), default=1)
        self._drop_cleared()
        self._restore(restore)
        self._size = self._replay(replay)
        self._descriptor = self._open()
        os.ftruncate(self._descriptor, self._size)

    def append(self, verdicts: Sequence[Verdict]) -> None:
        """Add verdicts, all or none.

        Raises:
            OSError: they couldn't be written (disk full); nothing was counted.
        """
        octets = b"".join([verdict.line() for verdict in verdicts])
        if os.write(self._descriptor, octets) != len(octets):
            os.ftruncate(self._descriptor, self._size)
            raise OSError(f"{self._file(self._number)}: no space for {len(octets)} octets")
        self._size += len(octets)
        for verdict in verdicts:
            self.counts.add(verdict)

    def rotate(self) -> bool:
        """Begin a new segment if this one is full; to be called when the providers' state has what was appended.

        Raises:
            OSError: there is no space; the segment goes on growing.
        """
        if self._size < self._segment:
            return False
        state = msgspec.json.encode({"counts": self.counts.kept(), "state": self._state()})
        write_atomically(self._file(self._number + 1).with_suffix(".state"), state)
        self._begin(self._number + 1)
        self._drop_oldest()
        return True

    def position(self) -> Position:
        """The end."""
        return Position(self._number, self._size)

    def complete(self) -> bool:
        """Whether everything since the last clearing is still there."""
        return not self._file(min(self._numbers())).with_suffix(".state").exists()

    def search(self, query: Query) -> Iterator[Verdict]:
        """The verdicts wanted, oldest first, up to those appended when the search began."""
        return chain.from_iterable(self.pages(query))

    def pages(self, query: Query, *, after: Position | None = None) -> Iterator[list[Verdict]]:
        """The same, in a list (maybe an empty one) for each thousand lines read, for who has other things to do.

        `after`: begin there; what of it isn't kept any more is left out.
        """
        end = self.position()
        after = after or Position(0, 0)
        for number in self._numbers():
            if after.segment <= number <= end.segment:
                start = after.offset if number == after.segment else 0
                until = end.offset if number == end.segment else None
                yield from self._pages(number, query, start, until)

    def clear(self) -> None:
        """Forget everything; positions go on."""
        self._file(self._number + 1).with_suffix(".state").unlink(missing_ok=True)
        self._begin(self._number + 1)
        self._drop_cleared()
        self.counts.clear()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _pages(self, number: int, query: Query, start: int, until: int | None) -> Iterator[list[Verdict]]:
        try:
            lines = self._file(number).open("rb")
        except FileNotFoundError:  # dropped since
            return
        needle = query.needle()
        with lines:
            lines.seek(start)
            position = start
            while page := list(islice(lines, _PAGE)):
                found: list[Verdict] = []
                for line in page:
                    position += len(line)
                    if (until is not None and position > until) or not line.endswith(b"\n"):
                        yield found
                        return
                    if needle in line and query.wants(verdict := parse(line)):
                        found.append(verdict)
                yield found

    def _restore(self, restore: Callable[[Any], None]) -> None:
        file = self._file(self._number).with_suffix(".state")
        try:
            kept = msgspec.json.decode(file.read_bytes())
            self.counts.restore(kept["counts"])
            restore(kept["state"])
        except FileNotFoundError:
            return
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
            raise RegionError(f"{file} is no state of the world", remedy=f"move {self._folder} away") from error

    def _replay(self, replay: Callable[[Verdict], None]) -> int:
        file, end = self._file(self._number), 0
        if not file.exists():
            return 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                try:
                    verdict = parse(line)
                except ValueError as error:
                    raise RegionError(
                        f"{file}: line {number} is no verdict", remedy=f"move {self._folder} away"
                    ) from error
                self.counts.add(verdict)
                replay(verdict)
        return end

    def _begin(self, number: int) -> None:
        former = self._descriptor
        self._number, self._size = number, 0
        self._descriptor = self._open()
        os.close(former)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._file(self._number), flags, 0o644)

    def _drop_cleared(self) -> None:
        """What precedes a segment without state: only a clearing begins one, and it may have been killed."""
        if not self._file(self._number).with_suffix(".state").exists():
            for number in self._numbers():
                if number < self._number:
                    self._remove(number)

    def _drop_oldest(self) -> None:
        sizes = {number: self._file(number).stat().st_size for number in self._numbers()}
        for number in sorted(sizes)[:-1]:
            if sum(sizes.values()) <= self._keep:
                return
            self._remove(number)
            del sizes[number]

    def _remove(self, number: int) -> None:
        self._file(number).unlink(missing_ok=True)
        self._file(number).with_suffix(".state").unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        return sorted(int(file.stem) for file in self._folder.glob("*.jsonl") if file.stem.isdigit())

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06}.jsonl"

"""Partitions of the spool: which worker has which folder."""

from collections.abc import Iterator
from pathlib import Path

from postroad.spool.segment import list_segments

_PREFIX = "worker-"


def partition(spool: Path, number: int) -> Path:
    """The folder of worker `number`, from 1: the first has that of a process without others, so that one
    becomes several and back.
    """
    if number < 1:
        raise ValueError(f"workers are counted from 1, got {number}")
    return spool if number == 1 else spool / f"{_PREFIX}{number}"


def left_over(spool: Path, workers: int) -> list[int]:
    """Partitions of workers beyond `workers` that hold segments: there were more once, and their mail is still due."""
    return sorted(number for number in _numbers(spool) if number > workers and list_segments(partition(spool, number)))


def _numbers(spool: Path) -> Iterator[int]:
    for path in spool.glob(f"{_PREFIX}*"):
        text = path.name.removeprefix(_PREFIX)
        if text.isdigit() and text == str(int(text)) and path.is_dir():
            yield int(text)

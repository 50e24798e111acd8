"""A crash anywhere: what a disk may leave is recovered, and no promise is broken."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from campaign import Campaign, Found, Promises, recovered
from disk import Mark, PowerCut, RecordedDisk, State

STATES = 10_000
STEPS = 60
REORDERINGS = 4


@pytest.fixture
def memory() -> Path:
    """A folder in memory: ten thousand spools are made in it."""
    where = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="postroad-", dir=where if os.access(where, os.W_OK) else None))


class Grave:
    """The folder in which one state after the other is recovered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._there: dict[str, tuple[bytes, int]] = {}
        """Each file's octets, and when it was last written to (recovery only appends, so its size tells too)."""

    def put(self, state: State) -> Path:
        """Make the folder what the state says; what is so already is let be."""
        there: dict[str, tuple[bytes, int]] = {}
        for entry in list(os.scandir(self._folder)):
            if entry.name in ("lock", "reserve"):
                continue
            known = self._there.get(entry.name)
            wanted = state.get(entry.name)
            stat = entry.stat()
            if known is not None and known == (wanted, stat.st_mtime_ns) and stat.st_size == len(known[0]):
                there[entry.name] = known
            elif entry.is_dir():
                shutil.rmtree(entry)
            else:
                os.unlink(entry)
        for name in state.keys() - there.keys():
            path = self._folder / name
            path.write_bytes(state[name])
            there[name] = state[name], path.stat().st_mtime_ns
        self._there = there
        return self._folder


async def test_no_crash_loses_an_accepted_message_or_brings_a_finished_one_back(memory: Path) -> None:
    seen: set[int] = set()
    judgements = 0
    seed = first = int(os.environ.get("POSTROAD_CRASH_SEED", "1"))
    try:
        grave = Grave(memory / "grave")
        while len(seen) < STATES:
            rng = random.Random(seed)
            life = memory / f"life-{seed}"
            disk = RecordedDisk(life)
            with pytest.MonkeyPatch.context() as patch, disk.watched(patch, rng):
                await Campaign(life, disk, rng).run(STEPS)
            promises, cut = Promises(), PowerCut(disk.events)
            # What a state recovers to is always the same; what was promised until then isn't.
            known: dict[int, Found] = {}
            judged: set[int] = set()
            for index, event in cut.points():
                if isinstance(event, Mark):
                    promises.note(index, event)
                    judged.clear()
                    continue
                for state in cut.states(rng, REORDERINGS):
                    key = hash(tuple(sorted(state.items())))
                    if key in judged:
                        continue
                    try:
                        if key not in known:
                            known[key] = recovered(grave.put(state))
                        promises.check(known[key])
                    except Exception as error:
                        kept = Path(tempfile.mkdtemp(prefix="postroad-crash-"))
                        Grave(kept / "spool").put(state)
                        where = f"seed {seed}, event {index}, {event!r:.80}; the spool is in {kept}/spool"
                        raise AssertionError(f"{error} ({where})") from error
                    judged.add(key)
                    judgements += 1
            seen |= known.keys()
            shutil.rmtree(life)
            seed += 1
    finally:
        shutil.rmtree(memory)
    print(f"{len(seen)} states of {seed - first} lives, judged {judgements} times")

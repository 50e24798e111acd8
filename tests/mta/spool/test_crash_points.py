"""A crash anywhere: what a disk may leave is recovered, and no promise is broken."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest
from campaign import Campaign, Promises
from disk import Mark, PowerCut, RecordedDisk, State

STATES = 10_000
STEPS = 60
REORDERINGS = 4


@pytest.fixture
def memory() -> Path:
    """A folder in memory: ten thousand spools are made in it."""
    where = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="postroad-", dir=where if os.access(where, os.W_OK) else None))


def put(folder: Path, state: State) -> None:
    for path in folder.iterdir():
        if path.name not in ("lock", "reserve"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in state.items():
        (folder / name).write_bytes(content)


async def test_no_crash_loses_an_accepted_message_or_brings_a_finished_one_back(memory: Path) -> None:
    seen: set[int] = set()
    judged: set[tuple[int, int]] = set()
    seed = first = int(os.environ.get("POSTROAD_CRASH_SEED", "1"))
    try:
        while len(seen) < STATES:
            rng = random.Random(seed)
            life, grave = memory / f"life-{seed}", memory / "grave"
            grave.mkdir(exist_ok=True)
            disk = RecordedDisk(life)
            with pytest.MonkeyPatch.context() as patch, disk.watched(patch, rng):
                await Campaign(life, disk, rng).run(STEPS)
            promises, cut, promised = Promises(), PowerCut(disk.events), 0
            for index, event in cut.points():
                if isinstance(event, Mark):
                    promises.note(index, event)
                    promised = index
                    continue
                for state in cut.states(rng, REORDERINGS):
                    key = hash(tuple(sorted(state.items())))
                    if (key, promised) in judged:
                        continue
                    put(grave, state)
                    try:
                        promises.check(grave)
                    except Exception as error:
                        kept = Path(tempfile.mkdtemp(prefix="postroad-crash-"))
                        put(kept, state)
                        where = f"seed {seed}, event {index}, {event!r:.80}; the spool is in {kept}"
                        raise AssertionError(f"{error} ({where})") from error
                    seen.add(key)
                    judged.add((key, promised))
            shutil.rmtree(life)
            seed += 1
    finally:
        shutil.rmtree(memory)
    print(f"{len(seen)} states of {seed - first} lives, recovered {len(judged)} times")

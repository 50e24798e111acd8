import asyncio
import gc

import pytest
from postroad.long_lived import LongLived


async def test_objects_are_frozen_when_many_messages_have_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.long_lived._INTERVAL", 0.001)
    frozen: list[int] = []
    counts = iter([0, 10, 50_001, 60_000, 120_000, 10, 50_010, 60_011, 60_012])
    now = 0
    over = asyncio.Event()

    def messages() -> int:
        nonlocal now
        now = next(counts, -1)
        if now < 0:
            over.set()
        return max(now, 0)

    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(now))
    LongLived(asyncio.get_running_loop(), messages)
    await asyncio.wait_for(over.wait(), 10)
    assert frozen == [50_001, 120_000, 60_011]

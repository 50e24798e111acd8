"""The queue on disk."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from postroad_region.world.outbound.queue import Entry, FullError, OutboundQueue


def entry(name: str, due: float, **changes: Any) -> Entry:
    given: dict[str, Any] = {"id": name, "kind": "bounce", "provider": "gmail", "due": due, "made": due}
    given |= {"address": "198.51.100.25", "host": "mx.gmail.test", "to": "a@postroad.test", "sender": "a@postroad.test"}
    given |= {"recipient": "b@gmail.test", "source": "198.18.113.5", "transaction": "t", "content": b"\x00\xff"}
    return Entry(**given | changes)


def test_entries_come_when_they_are_due_the_oldest_first(tmp_path: Path) -> None:
    queue = OutboundQueue(tmp_path)
    for name, due in (("c", 30.0), ("a", 10.0), ("b", 20.0)):
        queue.put(entry(name, due))
    assert queue.take(5) is None
    assert queue.next_due() == 10
    taken = [queue.take(25), queue.take(25), queue.take(25)]
    assert taken == [entry("a", 10.0), entry("b", 20.0), None]


def test_what_was_not_removed_is_there_again(tmp_path: Path) -> None:
    queue = OutboundQueue(tmp_path)
    for name in "abc":
        queue.put(entry(name, 1.0))
    queue.remove("b")
    assert queue.take(2) is not None  # taken, not done
    queue.put(entry("c", 50.0, attempts=3))
    (tmp_path / "d.new").write_bytes(b"torn")
    (tmp_path / "e.entry").write_bytes(b"spoilt")
    again = OutboundQueue(tmp_path)
    assert len(again) == 2
    assert again.take(2) == entry("a", 1.0)
    assert again.take(2) is None
    assert again.take(60) == entry("c", 50.0, attempts=3)
    assert not (tmp_path / "d.new").exists()


def test_it_is_bounded(tmp_path: Path) -> None:
    queue = OutboundQueue(tmp_path, limit=2)
    queue.put(entry("a", 1.0))
    queue.put(entry("b", 1.0))
    with pytest.raises(FullError):
        queue.put(entry("c", 1.0))
    queue.put(msgspec.structs.replace(entry("a", 1.0), due=5.0))
    assert len(queue) == 2


def test_cleared_means_gone(tmp_path: Path) -> None:
    queue = OutboundQueue(tmp_path)
    queue.put(entry("a", 1.0))
    taken = queue.take(2)
    queue.clear()
    assert taken is not None
    queue.again(taken)
    assert (len(queue), queue.take(9), list(tmp_path.iterdir())) == (0, None, [])

"""What a crash may leave between records is walked over, wherever it ends."""

import mmap
from pathlib import Path

import pytest
from postroad.spool.record import Record, RecordKind, encode_record
from postroad.spool.scan import Damage, mapped, scan

PAGE = mmap.PAGESIZE
RECORD = encode_record(RecordKind.FINISHED, 7)


def found(folder: Path, octets: bytes) -> list[Record | Damage]:
    path = folder / "segment"
    path.write_bytes(octets)
    with mapped(path) as data:
        return list(scan(data, 1))


@pytest.mark.parametrize("size", [1, PAGE - 1, PAGE, 3 * PAGE, 1 << 20, (1 << 20) + PAGE, (1 << 21) + 3])
@pytest.mark.parametrize("octet", [b"\0", b"P", b"s"])
def test_whole_pages_of_anything_are_one_damage(tmp_path: Path, size: int, octet: bytes) -> None:
    (damage,) = found(tmp_path, octet * size)
    assert isinstance(damage, Damage)
    assert (damage.offset, damage.size) == (0, size)


@pytest.mark.parametrize("before", [1, PAGE, (1 << 20) - 2, (1 << 20) - len(RECORD), 1 << 20, (1 << 20) + 1])
def test_a_record_is_found_wherever_damage_ends(tmp_path: Path, before: int) -> None:
    octets = (b"PRs1" * (before // 4 + 1))[:before] + RECORD
    damage, record = found(tmp_path, octets + b"x" * (-len(octets) % PAGE))[:2]
    assert isinstance(damage, Damage)
    assert isinstance(record, Record)
    assert (damage.size, record.offset, record.id) == (before, before, 7)

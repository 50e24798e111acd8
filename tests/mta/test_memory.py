from pathlib import Path

import pytest
from postroad.memory import available, resident, trim

MEMINFO = "MemTotal:        1000 kB\nMemFree:          10 kB\n"


def test_what_is_held_grows_with_what_is_held() -> None:
    before = resident()
    block = bytearray(64 << 20)
    assert resident() - before > 60 << 20
    del block
    trim()
    assert resident() - before < 32 << 20


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {}, 1_024_000),
        ("0::/\n", {"memory.max": "max"}, 1_024_000),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "5000", "memory.max": "9000"}, 5000),
        ("0::/\n", {"memory.max": "99000000000"}, 1_024_000),
        ("4:memory:/a\n3:cpu,cpuacct:/x\n0::/\n", {"memory/a/memory.limit_in_bytes": "7000"}, 7000),
        ("4:memory:/docker/id\n", {"memory/memory.limit_in_bytes": "8000"}, 8000),
    ],
)
def test_the_smallest_limit_holds(tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(MEMINFO)
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, value in limits.items():
        (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
        (cgroups / name).write_text(value + "\n")
    assert available(proc, cgroups) == expected


def test_there_is_something_here() -> None:
    assert available() > resident()

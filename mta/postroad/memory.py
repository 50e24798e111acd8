"""How much memory this process holds, and how much there is."""

import ctypes
import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")


def resident() -> int:
    """Octets of memory that this process holds; its page cache isn't among them, as a cgroup's count would have it."""
    return int(_STATM.read_bytes().split()[1]) * _PAGE


def available(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Octets of memory that this process may hold at all: its cgroup's limit, or what the host has if that is less."""
    limits = [_host_memory(proc)]
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        below = path.lstrip("/")
        if not controllers:
            limits += _limits_up_to(cgroups, below, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits_up_to(cgroups / "memory", below, "memory.limit_in_bytes")
    return min(limits)


def allowance() -> int:
    """Octets that an MTA holds at the most if its settings don't say: the rest is the kernel's, for what it caches."""
    return available() * 3 // 4


def trim() -> None:
    """Give back to the host what the allocator holds and nobody uses (malloc_trim(3))."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:
        return  # not glibc


def _host_memory(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{proc}/meminfo has no MemTotal")


def _limits_up_to(root: Path, below: str, name: str) -> list[int]:
    """The limits of a cgroup and of all that it is in; a container sees its own as the root."""
    limits = []
    place = root / below
    for folder in (place, *place.parents):
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            text = "max"
        if text.isdigit():
            limits.append(int(text))
        if folder == root:
            break
    return limits

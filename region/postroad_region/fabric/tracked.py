"""How many flows a host's security groups track now, from the kernel's table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroad_region import addresses
from postroad_region.command import run
from postroad_region.fabric.security import ORIGINATOR, RESPONDER

# Each flow is one line with the tuple of either direction (nf_conntrack in procfs).
_SOURCE = re.compile(r"\bsrc=(\S+)")
_MARK = re.compile(r"\bmark=(\d+)")


def tracked_flows(host: Iterable[str]) -> int:
    """Flows that count against the allowance of the host with these private addresses."""
    return count(run(["ip", "netns", "exec", addresses.FABRIC, "cat", "/proc/net/nf_conntrack"]), host)


def count(table: str, host: Iterable[str]) -> int:
    """The same from the text of the table."""
    own = frozenset(host)
    found = 0
    for line in table.splitlines():
        sources, mark = _SOURCE.findall(line), _MARK.search(line)
        if len(sources) != 2 or mark is None:
            continue
        began, answered = sources
        bits = int(mark[1])
        found += bool((began in own and bits & ORIGINATOR) or (answered in own and bits & RESPONDER))
    return found

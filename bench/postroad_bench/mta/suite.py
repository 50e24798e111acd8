"""The suite's cases: ours beside Postfix and Haraka.

Each round of a case runs the systems one after another, each alone on the machine with load generator and sink, from
an empty queue on a disk, after a warm-up of 400 messages. Which comes first alternates. A ratio is the median of the
ratios within the rounds, for a machine that is slower in one round is so for all. Processor time is utime and stime
of all processes of a server, with those of children that it has waited for (proc(5)).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from postroad_ops.faults import OperationError

from postroad_bench.mta import latency, million, slow_world
from postroad_bench.mta.haraka import Haraka
from postroad_bench.mta.key import signing_key
from postroad_bench.mta.ours import Postroad
from postroad_bench.mta.packages import install
from postroad_bench.mta.postfix import Postfix
from postroad_bench.mta.round import Round, accept, file_system, folder_on_disk, relay, verify
from postroad_bench.mta.server import System
from postroad_bench.result import Case

# Enough for about five seconds of each on two cores.
MESSAGES, OTHERS_MESSAGES = 12_000, 3_000
VERIFIED = 2_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A case that compares systems.

    Args:
        part: of `MESSAGES`; large messages need fewer.
        delivered: whether it is about what arrives, or what is accepted.
        systems: who is measured: ours, its peer, then others.
    """

    name: str
    octets: int
    part: float = 1.0
    delivered: bool = True
    signed: bool = False
    systems: Sequence[System] = (Postroad(), Postfix(), Haraka())

    @property
    def ours(self) -> str:
        """Whose rate the case is about."""
        return self.systems[0].name

    @property
    def peer(self) -> str:
        """Whose rate it is compared to."""
        return self.systems[1].name


KINDS = (
    Kind("relay-10k", 10 << 10),
    Kind("relay-2k", 2 << 10),
    Kind("relay-100k", 100 << 10, part=1 / 4),
    Kind("accept-10k", 10 << 10, delivered=False),
    Kind("relay-10k-dkim", 10 << 10, part=1 / 2, signed=True, systems=(Postroad(), Postfix())),
    Kind("workers-2", 10 << 10, systems=(Postroad(workers=2), Postroad())),
)


def measure(rounds: int, only: list[str]) -> Iterator[Case]:
    """The suite's cases, or those that are named.

    Raises:
        OperationError: a server doesn't start, refuses mail, or loses it.
    """
    cases: dict[str, Callable[[int], Case]] = {kind.name: partial(_compared, kind) for kind in KINDS}
    cases |= {
        "latency-p99": lambda count: latency.measure(Postroad(), Postfix(), count),
        "slow-world": slow_world.measure,
        "queued-1m": lambda _: million.measure(),
    }
    for name, case in cases.items():
        if name in only or not only:
            yield case(rounds)


def _compared(kind: Kind, rounds: int) -> Case:
    """One kind of load on every system that is here."""
    systems, absent = _present(kind.systems)
    with folder_on_disk() as folder:
        disk = file_system(folder)
        key = signing_key(folder) if kind.signed else None
        found: dict[str, list[Round]] = {system.name: [] for system in systems}
        for number in range(rounds):
            for system in systems if number % 2 else reversed(systems):
                found[system.name].append(_round(kind, system, key))
        notes: dict[str, Any] = {name: _summary(each) for name, each in found.items()}
        if kind.delivered:
            count = round(VERIFIED * kind.part)
            notes["verified"] = {
                system.name: verify(system, messages=count, octets=kind.octets, key=key) for system in systems
            }
    notes |= {"absent": absent, "disk": disk, "syslog": Path("/dev/log").exists()}
    return compared(kind, found, notes)


def _present(systems: Sequence[System]) -> tuple[list[System], dict[str, str]]:
    """Those that can be measured here, and why the others can't.

    Raises:
        OperationError: Postfix can't be had, which brings load generator and sink.
    """
    if (why_not := install("postfix")) is not None:
        raise OperationError(f"no smtp-source and smtp-sink: {why_not}", remedy="install postfix")
    why = {system.name: system.missing() for system in systems}
    return [system for system in systems if why[system.name] is None], {
        name: text for name, text in why.items() if text
    }


def _round(kind: Kind, system: System, key: Path | None) -> Round:
    messages = round((MESSAGES if isinstance(system, Postroad) else OTHERS_MESSAGES) * kind.part)
    if kind.delivered:
        return relay(system, messages=messages, octets=kind.octets, key=key)
    return accept(system, messages=messages, octets=kind.octets)


def compared(kind: Kind, found: dict[str, list[Round]], notes: dict[str, Any]) -> Case:
    """The case that rounds of several systems come to; ratios are of the same round."""
    rates = {name: [one.delivered if kind.delivered else one.accepted for one in each] for name, each in found.items()}
    ours = rates[kind.ours]
    for name, theirs in rates.items():
        if name != kind.ours:
            ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
            notes[f"ratios_to_{name}"] = [round(ratio, 2) for ratio in ratios]
    peer = rates.get(kind.peer)
    return Case(
        kind.name,
        "messages/s",
        round(statistics.median(ours), 1),
        [round(rate, 1) for rate in ours],
        peer=kind.peer if peer else "",
        peer_value=round(statistics.median(peer), 1) if peer else None,
        ratio=round(statistics.median(notes[f"ratios_to_{kind.peer}"]), 2) if peer else None,
        notes=notes,
    )


def _summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Medians of what was measured of one system."""

    def middle(values: Iterator[float]) -> float:
        return round(statistics.median(values), 3)

    return {
        "accepted_per_s": middle(one.accepted for one in rounds),
        "delivered_per_s": middle(one.delivered for one in rounds),
        "cpu_s_per_1000": middle(one.cpu for one in rounds),
        "peak_mib": middle(one.peak_mib for one in rounds),
        "machine_busy": middle(one.busy for one in rounds),
    }

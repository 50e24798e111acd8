"""Case `latency-p99`: from the final dot to the 250, at a rate that Postfix can bear."""

from __future__ import annotations

import contextlib
import statistics

from postroad_bench.mta.load import Poured, pour
from postroad_bench.mta.round import WARM_UP, folder_on_disk, relay
from postroad_bench.mta.server import System, Task, free_port
from postroad_bench.mta.sink import counting_sink, wait_for_count
from postroad_bench.result import Case

OCTETS = 10 << 10
SHARE, SECONDS = 0.8, 10.0
CALIBRATION = 3_000


def measure(ours: System, peer: System, rounds: int) -> Case:
    """The 99th percentile in milliseconds, both relaying at 80 % of what the peer delivers at its best in that round.

    The generator keeps the rate whatever the answers take: a message whose time has come waits for a free one of 30
    connections, and its clock begins with its dot.
    """
    p99: dict[str, list[float]] = {ours.name: [], peer.name: []}
    p50: dict[str, list[float]] = {ours.name: [], peer.name: []}
    rates = []
    for number in range(rounds):
        rates.append(SHARE * relay(peer, messages=CALIBRATION, octets=OCTETS).delivered)
        for system in (ours, peer) if number % 2 else (peer, ours):
            poured = _at(system, rates[-1])
            p99[system.name].append(poured.p99_us / 1000)
            p50[system.name].append(poured.p50_us / 1000)
    ratios = [mine / other for mine, other in zip(p99[ours.name], p99[peer.name], strict=True)]
    return Case(
        "latency-p99",
        "ms",
        round(statistics.median(p99[ours.name]), 2),
        [round(value, 2) for value in p99[ours.name]],
        peer=peer.name,
        peer_value=round(statistics.median(p99[peer.name]), 2),
        ratio=round(statistics.median(ratios), 3),
        notes={
            "rates_per_s": [round(rate, 1) for rate in rates],
            "p50_ms": {name: round(statistics.median(values), 2) for name, values in p50.items()},
            f"{peer.name}_rounds": [round(value, 2) for value in p99[peer.name]],
            f"ratios_to_{peer.name}": [round(ratio, 3) for ratio in ratios],
        },
    )


def _at(system: System, rate: float) -> Poured:
    messages = round(rate * SECONDS)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_on_disk())
        sink = stack.enter_context(counting_sink(folder, ids=messages))
        server = stack.enter_context(system.running(Task(folder, free_port(), sink.port)))
        pour(server.port, messages=WARM_UP, octets=OCTETS)
        wait_for_count(sink.count, WARM_UP)
        return pour(server.port, messages=messages, octets=OCTETS, rate=rate)

"""Case `slow-world`: half of the sites stall; what do the others get?"""

from __future__ import annotations

import contextlib
import statistics
import threading

from postroad_ops.faults import OperationError

from postroad_bench.mta.load import pour
from postroad_bench.mta.ours import Postroad
from postroad_bench.mta.round import folder_on_disk
from postroad_bench.mta.server import Task, free_port
from postroad_bench.mta.sink import counting_sink, stalled_sink, wait_for_count
from postroad_bench.mta.world import ADDRESSES, FIRST_ADDRESS, SITES, name_server, routing
from postroad_bench.result import Case, median

MESSAGES, OCTETS, DOMAINS = 20_000, 10 << 10, 1_000
GOOD = SITES // 2


def measure(rounds: int) -> Case:
    """Delivered per second to the sites that don't stall, over the same with no site stalled, under the same load.

    The load goes to 100 sites in turn, as fast as it is accepted. Hosts of a stalled site let connect and never greet;
    50 of them with 20 connections each would take more than all connections that an MTA may have by default.
    """
    ratios, without, beside = [], [], []
    for _ in range(rounds):
        without.append(_rate(stalled=False))
        beside.append(_rate(stalled=True))
        ratios.append(beside[-1] / without[-1])
    return median(
        "slow-world",
        "of the rate without",
        ratios,
        sites=SITES,
        without_per_s=round(statistics.median(without), 1),
        beside_per_s=round(statistics.median(beside), 1),
    )


def _rate(*, stalled: bool) -> float:
    """Messages per second that the first half of the sites get."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_on_disk())
        dns = stack.enter_context(name_server(folder))
        count = GOOD if stalled else SITES
        sink = stack.enter_context(counting_sink(folder, ids=MESSAGES, first=FIRST_ADDRESS, addresses=count))
        if stalled:
            stack.enter_context(stalled_sink(sink.port, ADDRESSES[GOOD:]))
        system = Postroad(routing=routing(dns, sink.port))
        server = stack.enter_context(system.running(Task(folder, free_port(), sink.port)))
        refused: list[int] = []

        def load() -> None:
            poured = pour(server.port, messages=MESSAGES, octets=OCTETS, domains=DOMAINS, sites=SITES)
            refused.append(poured.refused + poured.lost)

        loading = threading.Thread(target=load)
        loading.start()
        good = MESSAGES * GOOD // SITES
        at_first, first, last = wait_for_count(lambda: sum(sink.tally().by_address[:GOOD]), good)
        loading.join()
        if refused != [0]:
            raise OperationError(f"the MTA refused mail: {refused}", remedy="see what it logs")
        return (good - at_first) / max(last - first, 0.001)

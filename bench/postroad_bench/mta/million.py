"""Case `queued-1m`: a million messages queued that can't leave, and what a crash does then."""

from __future__ import annotations

import contextlib
import os
import signal
import smtplib
import time
from typing import Any

from postroad_ops.faults import OperationError

from postroad_bench.mta.load import Poured, pour
from postroad_bench.mta.ours import Postroad
from postroad_bench.mta.round import folder_on_disk
from postroad_bench.mta.server import Server, Task, free_port
from postroad_bench.mta.sink import counting_sink, stalled_sink
from postroad_bench.mta.world import ADDRESSES, FIRST_ADDRESS, SITES, name_server, routing
from postroad_bench.result import Case

OCTETS = 2 << 10
VARIABLE = "POSTROAD_MESSAGES"
FILL_RATE = 200.0
"""Messages per second at which filling is given up."""
BACK_SECONDS = 300.0


def measure() -> Case:
    """Resident memory while the queue is full, in MiB; acceptance and recovery in the notes. One round.

    The messages are of a tenth as many domains, whose 100 sites let connect and never greet. Then the process is
    killed, the sites get well, and it starts again: the clock runs from the kill to the first 250 for a new message,
    and to the first old one delivered.

    POSTROAD_MESSAGES says how many messages; a million if it is not set.

    Raises:
        OperationError: it is no number, or the MTA refuses mail or doesn't come back.
    """
    messages = wanted(os.environ.get(VARIABLE, "1000000"))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_on_disk())
        dns = stack.enter_context(name_server(folder))
        port = free_port()
        system = Postroad(routing=routing(dns, port))
        task = Task(folder, free_port(), port)
        with stalled_sink(port, ADDRESSES), system.running(task) as server:
            poured = pour(
                server.port, messages=messages, octets=OCTETS, domains=max(1, messages // 10), sites=SITES,
                seconds=60 + messages / FILL_RATE,
            )  # fmt: skip
            if poured.accepted < messages:
                raise OperationError(f"accepted {poured.accepted} of {messages}", remedy="see what the MTA logs")
            full = server.peak_octets() / 2**20
            killed = time.monotonic()
            os.kill(server.roots[0], signal.SIGKILL)
        sink = stack.enter_context(counting_sink(folder, ids=messages, port=port, first=FIRST_ADDRESS, addresses=SITES))
        server = stack.enter_context(system.running(task))
        back = _first_accepted(server) - killed
        delivered = _first_delivered(sink) - killed
        after = server.peak_octets() / 2**20
    notes = {"messages": messages, "peak_mib_after_start": round(after, 1), **acceptance(poured)}
    notes |= {"first_250_s": round(back, 2), "first_recovered_delivery_s": round(delivered, 2)}
    return Case("queued-1m", "MiB resident", round(full, 1), [round(full, 1)], notes=notes)


def wanted(said: str) -> int:
    """How many messages.

    Raises:
        OperationError: it is no number from 1,000 on.
    """
    if not said.isdigit() or int(said) < 1000:
        raise OperationError(f"{VARIABLE}={said} is no number of messages", remedy="say at least 1000")
    return int(said)


def acceptance(poured: Poured) -> dict[str, Any]:
    """Accepted per second at the start and over the last tenth, and the ratio.

    In the first tenth each domain is new and costs a look-up; the start is the faster of the first two.
    """
    tenth = poured.accepted / 10
    start = tenth / min(poured.marks[9], poured.marks[19] - poured.marks[9])
    end = tenth / (poured.marks[99] - poured.marks[89])
    return {
        "accepted_per_s": round(poured.accepted / poured.seconds, 1),
        "accepted_per_s_at_start": round(start, 1),
        "accepted_per_s_at_end": round(end, 1),
        "end_over_start": round(end / start, 3),
    }


def _first_accepted(server: Server) -> float:
    """When a new message got its 250."""
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        try:
            client = smtplib.SMTP("127.0.0.1", server.port, timeout=BACK_SECONDS)
            client.sendmail(
                "news@bench.test", ["new@d0.s0.bench.test"], "From: news@bench.test\r\nSubject: new\r\n\r\nnew\r\n"
            )
        except (OSError, smtplib.SMTPException):
            time.sleep(0.05)
            continue
        client.close()
        return time.monotonic()
    raise OperationError("no new message is accepted after the start", remedy="see what the MTA logs")


def _first_delivered(sink: Any) -> float:
    """When a message arrived that was queued before; new ones have no id."""
    deadline = time.monotonic() + BACK_SECONDS
    while not sink.tally().unique:
        if time.monotonic() > deadline:
            raise OperationError("nothing that was queued is delivered after the start", remedy="see what the MTA logs")
        time.sleep(0.01)
    return time.monotonic()

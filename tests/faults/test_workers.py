"""Several processes as one MTA: whichever of them dies, each message is delivered once."""

import contextlib
import json
import os
import signal
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from daemons import BIN, ChoosySink, MtaDaemon, wait_until


@pytest.fixture
def sink() -> Iterator[ChoosySink]:
    made = ChoosySink()
    made.start()
    yield made
    made.stop()


class Several(MtaDaemon):
    """An MTA of several workers."""

    def __init__(self, folder: Path, sink: ChoosySink, workers: int) -> None:
        super().__init__(folder, smart_host=sink.port, more='[drain]\naccept_for = "0s"')
        self._text = self.config.read_text()
        self.use(workers)

    def use(self, workers: int) -> None:
        self.config.write_text(f"workers = {workers}\n{self._text}")

    def facts(self) -> list[dict[str, Any]]:
        return list(json.loads(self.get("/workers"))["workers"])

    def pids(self) -> list[int]:
        return [item["pid"] for item in self.facts() if item["ready"]]


def send(mta: MtaDaemon, first: int, count: int) -> None:
    """One connection for each message, so that every worker gets some; for those who take it later."""
    for number in range(first, first + count):
        with smtplib.SMTP("127.0.0.1", mta.port) as session:
            session.sendmail("a@x.test", [f"later{number}@y.test"], f"X-Id: {number}\n\nx\n")


def expected(count: int) -> dict[tuple[str, str], int]:
    return {(str(number), f"later{number}@y.test"): 1 for number in range(count)}


def waiting(mta: MtaDaemon, count: int) -> bool:
    # A worker that just begins may not answer in time: 503, try again.
    with contextlib.suppress(HTTPError):
        queue = mta.queue()
        return bool(queue["messages"] == count and queue["scheduled"] == count)
    return False


@pytest.fixture
def several(tmp_path: Path, sink: ChoosySink, stopped_after: Callable[[Any], Any]) -> Several:
    mta: Several = stopped_after(Several(tmp_path, sink, 2))
    mta.start()
    return mta


def open_all(mta: MtaDaemon, sink: ChoosySink, count: int) -> None:
    wait_until(lambda: waiting(mta, count), what="everything was tried once")
    sink.open = True
    mta.flush()
    wait_until(lambda: waiting(mta, 0), what="the queue is empty")
    assert sink.delivered == expected(count)


def test_one_admin_port_answers_for_all(several: Several, sink: ChoosySink) -> None:
    send(several, 0, 60)
    wait_until(lambda: waiting(several, 60))
    received = [several.metric(f'postroad_mta_received_messages_total{{worker="{number}"}}') for number in (1, 2)]
    assert sum(received) == 60
    (domain,) = several.queue()["domains"]
    assert (domain["domain"], domain["recipients"]) == ("y.test", 60)
    done = subprocess.run(
        [BIN / "postroad", "queue"],
        env=os.environ | {"POSTROAD_ADMIN": f"http://{several.admin}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "60 messages" in done.stdout
    open_all(several, sink, 60)


def test_a_worker_that_is_killed_is_started_again_and_loses_nothing(several: Several, sink: ChoosySink) -> None:
    send(several, 0, 40)
    wait_until(lambda: waiting(several, 40))
    for _ in range(2):
        before = several.pids()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda before=before: len(several.pids()) == 2 and several.pids() != before)  # type: ignore[misc]
    assert several.metric("postroad_mta_worker_restarts_total") == 2
    assert len(several.events("worker_ended")) == 2
    open_all(several, sink, 40)


def test_workers_end_with_their_supervisor_and_the_next_one_has_all_their_mail(
    several: Several, sink: ChoosySink
) -> None:
    send(several, 0, 40)
    wait_until(lambda: waiting(several, 40))
    pids = several.pids()
    several.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids if alive(pid)))
    several.start()
    open_all(several, sink, 40)


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("workers", [1, 3])
def test_with_fewer_or_more_workers_the_mail_of_all_partitions_is_delivered(
    several: Several, sink: ChoosySink, workers: int
) -> None:
    send(several, 0, 40)
    wait_until(lambda: waiting(several, 40))
    several.stop()
    several.use(workers)
    several.start()
    send(several, 40, 10)
    open_all(several, sink, 50)
    if workers == 1:
        wait_until(lambda: several.events("worker_retired"), what="the second worker retires")
        assert [item["worker"] for item in several.facts()] == [1]


def test_sigterm_stops_all(several: Several, sink: ChoosySink) -> None:
    send(several, 0, 10)
    pids = several.pids()
    several.terminate()
    assert several.wait() == 0
    assert not any(alive(pid) for pid in pids)


def test_a_spool_in_use_is_one_line_and_stops_all(several: Several, tmp_path: Path, sink: ChoosySink) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = Several(folder, sink, 2)
    text = second.config.read_text().replace('path = "./spool"', f'path = "{tmp_path}/spool"')
    second.config.write_text(text)
    done = subprocess.run(
        [BIN / "postroad-mta", "run", "--config", str(second.config)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "is in use by process" in done.stderr
    assert several.ready()


def test_a_drain_moves_the_mail_of_all_workers(
    several: Several, tmp_path: Path, sink: ChoosySink, stopped_after: Callable[[Any], Any]
) -> None:
    send(several, 0, 60)
    wait_until(lambda: waiting(several, 60))
    folder = tmp_path / "target"
    folder.mkdir()
    target: Several = stopped_after(Several(folder, sink, 2))
    target.start()
    done = subprocess.run(
        [BIN / "postroad", "drain", "--to", target.admin],
        env=os.environ | {"POSTROAD_ADMIN": f"http://{several.admin}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    assert several.drain_state()["moved"] == 60
    sink.open = True
    target.flush()
    wait_until(lambda: target.queue()["messages"] == 0)
    assert sink.delivered == expected(60)


def test_an_order_is_one_for_all_workers_and_a_message_is_found_wherever_it_is(
    several: Several, sink: ChoosySink
) -> None:
    order = {"action": "suspend", "domain": "y.test", "reason": "r", "seconds": 600}
    given = json.loads(several.get("/orders", method="POST", body=order))["order"]
    send(several, 0, 20)
    wait_until(lambda: waiting(several, 20))
    assert [item["id"] for item in json.loads(several.get("/orders"))["orders"]] == [given["id"]]
    (row,) = json.loads(several.get("/queue/top?by=domain"))["queues"]
    assert (row["name"], row["deliveries"]) == (["y.test"], 20)
    ids = [event["queue_id"] for event in several.events("reception")]
    for id in ids:
        (delivery,) = json.loads(several.get(f"/message?id={id}"))["deliveries"]
        assert delivery["order"] == given["id"]
    assert not sink.deferred
    lifted = json.loads(several.get("/orders/lift", method="POST", body={"id": given["id"]}))
    assert lifted["due"] == 20
    wait_until(lambda: len(sink.deferred) == 20)
    assert json.loads(several.get("/openapi.json"))["openapi"] == "3.1.0"

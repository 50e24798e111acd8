"""kill -9 under load: what was accepted is delivered or queued, five times over."""

import contextlib
import random
import smtplib
import threading
import time
from collections.abc import Callable

from daemons import MtaDaemon, Sink, wait_until

ROUNDS = 5
CLIENTS = 4
LINES = ("x" * 70 + "\n") * 30


class Loader(threading.Thread):
    """Sends messages with ids of its own until the connection breaks; `accepted` are those that got 250."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._prefix = name
        self.accepted: list[str] = []

    def run(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client = smtplib.SMTP("127.0.0.1", self._port, timeout=10)
            for number in range(2000):
                id = f"{self._prefix}-{number}"
                client.sendmail("a@x.test", ["b@y.test"], f"From: a@x.test\nX-Id: {id}\n\n{LINES}")
                self.accepted.append(id)


def test_nothing_accepted_is_lost_by_sigkill(new_mta: Callable[..., MtaDaemon], sink: Sink) -> None:
    mta = new_mta(smart_host=sink.port, more="[egress]\nmax_connections_per_site = 5\n")
    accepted: list[str] = []
    in_flight = 0
    for round in range(ROUNDS):
        loaders = [Loader(mta.port, f"{round}-{number}") for number in range(CLIENTS)]
        for loader in loaders:
            loader.start()
        enough = len(sink.ids) + 100
        wait_until(lambda enough=enough: len(sink.ids) >= enough, what="load")  # type: ignore[misc]
        time.sleep(random.uniform(0, 0.1))  # the point of the kill is the random thing here
        mta.kill()
        for loader in loaders:
            loader.join()
            accepted += loader.accepted
        in_flight += 5
        mta.start()
    wait_until(lambda: mta.queue()["messages"] == 0, seconds=60, what="the queue is empty")
    wait_until(lambda: set(accepted) <= set(sink.ids), what="everything accepted was delivered")
    duplicates = sum(count - 1 for count in sink.ids.values())
    print(f"{len(accepted)} accepted, {len(sink.ids)} delivered, {duplicates} duplicates")
    assert len(accepted) > ROUNDS * 50
    assert duplicates <= in_flight

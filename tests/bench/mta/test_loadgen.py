"""Load generator and counting sink count what is so: every reply, every message, every id that comes twice."""

import shutil
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postroad_bench.mta.load import pour
from postroad_bench.mta.sink import counting_sink, wait_for_count
from postroad_ops.faults import OperationError

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")


@contextmanager
def server(answers: dict[str, str], *, cut_at: str = "") -> Iterator[int]:
    """One that answers lines by their begin as told, and closes the connection instead of answering `cut_at`."""
    usual = {"banner": "220 hello", "ehlo": "250 hello", "data": "354 go", "rset": "250 ok"}
    told = {**usual, **answers}

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            said, in_data = "banner", False
            while not (cut_at and said.startswith(cut_at)):
                reply = next((answer for key, answer in told.items() if said.startswith(key)), "250 ok")
                self.wfile.write(reply.encode() + b"\r\n")
                in_data = reply.startswith("354")
                while (line := self.rfile.readline()) and in_data and line != b".\r\n":
                    pass
                if not line:
                    return
                said = line.decode().lower()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield int(running.server_address[1])
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize("octets", [512, 10_000, 300_000])
def test_every_message_arrives_once(tmp_path: Path, octets: int) -> None:
    with counting_sink(tmp_path, ids=90) as sink:
        poured = pour(sink.port, messages=90, octets=octets)
        found = sink.tally()
    assert (poured.accepted, poured.refused, poured.lost) == (90, 0, 0)
    assert (found.messages, found.unique, found.twice, found.unnumbered, found.signed) == (90, 90, 0, 0, 0)


def test_an_id_that_comes_again_is_counted(tmp_path: Path) -> None:
    with counting_sink(tmp_path, ids=40) as sink:
        for count in (40, 15):
            pour(sink.port, messages=count, octets=2048)
        found = sink.tally()
    assert (found.messages, found.unique, found.twice) == (55, 40, 15)


def test_an_id_beyond_those_expected_is_not_taken_for_one(tmp_path: Path) -> None:
    with counting_sink(tmp_path, ids=10) as sink:
        pour(sink.port, messages=12, octets=2048)
        assert (sink.tally().unique, sink.tally().unnumbered) == (10, 2)


def test_addresses_are_counted_apart(tmp_path: Path) -> None:
    with counting_sink(tmp_path, ids=30, first="127.0.0.1", addresses=2) as sink:
        pour(sink.port, messages=30, octets=2048)
        assert sink.tally().by_address[:2] == [30, 0]


@pytest.mark.parametrize("verb", ["mail", "rcpt", "data", "."])
def test_a_refusal_at_any_verb_is_told(verb: str) -> None:
    with server({verb: "550 not here"}) as port, pytest.raises(OperationError, match="550 not here"):
        pour(port, messages=40, octets=2048)


def test_after_a_refusal_the_session_goes_on() -> None:
    with server({"rcpt to:<u@d1.": "450 not now"}) as port:
        poured = pour(port, messages=90, octets=2048, domains=3)
    assert (poured.accepted, poured.refused, poured.lost, poured.first_refusal) == (60, 30, 0, "450 not now")


def test_a_lost_connection_is_a_lost_message_and_another_is_made() -> None:
    with server({}, cut_at="rcpt to:<u@d1.") as port:
        poured = pour(port, messages=90, octets=2048, domains=3)
    assert (poured.accepted, poured.refused, poured.lost) == (60, 0, 30)


def test_a_rate_is_not_exceeded(tmp_path: Path) -> None:
    with counting_sink(tmp_path, ids=100) as sink:
        poured = pour(sink.port, messages=100, octets=2048, rate=500.0)
    assert poured.seconds >= 99 / 500.0
    assert poured.marks[99] >= poured.marks[49] >= 49 / 500.0


def test_latencies_are_ordered(tmp_path: Path) -> None:
    with counting_sink(tmp_path, ids=200) as sink:
        poured = pour(sink.port, messages=200, octets=2048)
    assert 0 <= poured.p50_us <= poured.p99_us <= poured.max_us <= poured.seconds * 1e6


def test_a_port_that_nobody_serves_is_one_line() -> None:
    with pytest.raises(OperationError) as raised:
        pour(1, messages=1, octets=2048)
    assert "\n" not in str(raised.value).strip()


def test_a_sink_that_nothing_reaches_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad_bench.mta.sink.QUIET_SECONDS", 0.05)
    with pytest.raises(OperationError, match="has 3 of 5 messages"):
        wait_for_count(lambda: 3, 5)

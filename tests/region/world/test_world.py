"""The world as a process takes mail, counts it and answers."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postroad_region.errors import RegionError

from .process import FLOOD, LIMITED, OTHER, RETURNS, SOURCE, WORLD, Case, started

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def running(make_namespace: Callable[..., Any], folder: Path) -> Iterator[Case]:
    with started(make_namespace(SOURCE, OTHER, LIMITED, RETURNS), folder) as case:
        yield case


@pytest.fixture
def case(running: Case) -> Case:
    return running.afresh()


def test_mail_is_accepted_counted_and_listed(case: Case) -> None:
    assert case.send("b@gmail.test")[0][0] == 250
    counts = case.world.get("/counts")["providers"]["gmail"]
    assert counts["sources"] == {SOURCE: {"accepted": 1}}
    assert counts["checks"] == {"spf": {"pass": 1}, "dkim": {"none": 1}, "tls": {"no": 1}}
    (message,) = case.world.get("/messages?batch=t")
    assert (message["recipient"], message["message_id"], message["send"]) == ("b@gmail.test", "<0@x>", "t-0")


def test_spf_tells_a_foreign_source(case: Case) -> None:
    case.send("b@gmail.test", source=OTHER)
    assert case.world.get("/counts")["providers"]["gmail"]["checks"]["spf"] == {"fail": 1}


def test_a_bounce_has_no_sender(case: Case) -> None:
    assert case.codes("b@gmail.test", sender="") == [250]
    assert "sender" not in case.world.get("/messages")[0]


def test_refusals_are_spoken_and_counted(case: Case) -> None:
    assert case.codes("unknown-1@gmail.test", "late-1@gmail.test", "late-1@gmail.test", "x@other.test") == [
        550,
        451,
        250,
        550,
    ]
    assert case.world.get("/counts")["verdicts"] == {"accepted": 1, "greylisted": 1, "relaying": 1, "unknown": 1}


def test_a_message_beyond_the_size_is_refused(case: Case) -> None:
    assert case.codes("b@gmail.test", content="Subject: x\r\n\r\n" + "x" * 70 + "\r\n" * 10_000) == [552]
    assert case.world.get("/counts")["verdicts"] == {}


def test_starttls_has_a_certificate_of_the_box(case: Case) -> None:
    assert case.codes("b@gmail.test", ca=str(case.folder / "ca/ca.crt")) == [250]
    assert case.world.get("/counts")["providers"]["gmail"]["checks"]["tls"] == {"yes": 1}


def test_an_expired_certificate_is_one(case: Case) -> None:
    answers = case.send("b@strict.test", host="mx.strict.test", ca=str(case.folder / "ca/ca.crt"))
    assert answers == [[0, "SSLCertVerificationError"]]


def test_a_source_beyond_its_limit_is_told_421_and_cut_off(case: Case) -> None:
    answers = case.send(*["b@strict.test"] * 4, host="mx.strict.test", source=LIMITED)
    assert answers == [answers[0], answers[1], [421, "4.7.0 Too much"], [0, "SMTPServerDisconnected"]]
    assert case.codes("b@strict.test", host="mx.strict.test", source=OTHER) == [250]


def test_connections_of_a_source_are_bounded(case: Case) -> None:
    assert case.send("b@strict.test", host="mx.strict.test", twice=True)[0] == [421, "4.7.0 Too many"]


@pytest.mark.parametrize("segment", [67_108_864, 4096])
def test_what_was_answered_250_survives_sigkill(case: Case, segment: int) -> None:
    # With the small one the ledger begins a new segment every dozen messages.
    case.write(WORLD | {"ledger": {"segment": segment}})
    case.world.ensure()
    case.send("late-9@gmail.test", "unknown-1@gmail.test")
    before = case.pid()
    sender = subprocess.Popen([*case.namespace.prefix, sys.executable, "-c", FLOOD], stdout=subprocess.PIPE, text=True)
    assert sender.stdout is not None
    for _ in range(200):
        sender.stdout.readline()
    case.world._process.signal(signal.SIGKILL)
    answered = 200 + sum(1 for _ in sender.stdout)
    sender.wait()
    assert answered < 4000, "the flood was over before the world was killed"
    # Its connections end a moment before the process itself is gone; until then it counts as running.
    deadline = time.monotonic() + 10
    while case.world.status().running:
        assert time.monotonic() < deadline, "SIGKILL ended the process"
        time.sleep(0.01)
    assert case.world.ensure()
    assert case.pid() != before
    counts = case.world.get("/counts")["verdicts"]
    # The one whose 250 was on its way may be counted and not answered.
    assert counts["accepted"] in (answered, answered + 1)
    assert (counts["greylisted"], counts["unknown"]) == (1, 1)
    assert case.codes("late-9@gmail.test") == [250]
    assert case.world.get("/sends/flood")["distinct"] in (answered, answered + 1)


def test_a_batch_tells_what_came_twice(case: Case) -> None:
    case.send("b@gmail.test", "c@gmail.test", "d@gmail.test", batch="run-1")
    case.send("b@gmail.test", batch="run-1")
    assert case.world.get("/sends/run-1") == {
        "batch": "run-1",
        "copies": 4,
        "distinct": 3,
        "duplicates": 1,
        "twice": {"run-1-0 b@gmail.test": 2},
    }


def test_another_daemon_takes_it_up(case: Case) -> None:
    pid = case.pid()
    assert not case.heir().ensure()
    assert case.heir().status().pid == pid


def test_a_changed_file_restarts_it_with_its_counts(case: Case) -> None:
    case.send("b@gmail.test")
    changed = json.loads(json.dumps(WORLD))
    changed["providers"][0]["recipients"][0]["reply"] = "550 5.1.1 Nobody"
    case.write(changed)
    assert case.world.ensure()
    assert case.send("unknown-1@gmail.test") == [[550, "5.1.1 Nobody"]]
    assert case.world.get("/counts")["verdicts"] == {"accepted": 1, "unknown": 1}


def test_a_wrong_file_leaves_the_running_world_as_it_is(case: Case) -> None:
    case.write({"providers": []})
    with pytest.raises(RegionError, match="providers"):
        case.world.ensure()
    assert case.codes("b@gmail.test") == [250]


def test_a_wrong_question_is_told_so(case: Case) -> None:
    with pytest.raises(RegionError, match=re.escape('400: {"error": "colour is none of')):
        case.world.get("/messages?colour=blue")
    with pytest.raises(RegionError, match="404"):
        case.world.get("/nothing")


def test_it_is_small_and_does_nothing_when_idle(case: Case) -> None:
    case.send(*["b@gmail.test"] * 200)
    status = Path(f"/proc/{case.pid()}/status").read_text()
    assert int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) < 80_000

    def ticks() -> int:
        fields = Path(f"/proc/{case.pid()}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(2)  # what is measured is that nothing happens
    assert ticks() - before <= 2


def test_a_stopped_world_says_so(case: Case) -> None:
    case.world.stop()
    assert not case.world.status().running
    with pytest.raises(RegionError, match="the world doesn't answer"):
        case.world.get("/counts")

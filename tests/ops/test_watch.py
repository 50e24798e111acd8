"""`make status` and `make watch` at a terminal and in a pipe."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postroad_ops import cli, status, table
from postroad_ops.faults import OperationError
from postroad_ops.hosts import Host
from postroad_ops.status import Region, SendingAddress, TargetGroup
from postroad_region import cli as region_cli
from rich.console import Console
from typer.testing import CliRunner

# What machines may rely on; a key that goes or changes its meaning is a change of the interface.
DOCUMENT = {"hosts", "addresses", "front_door", "providers", "faults", "injected"}
HOST = {"tier", "name", "instance", "zone", "address", "public", "release", "health", "queued", "sessions"}
ADDRESS = {"address", "name", "zone", "pool", "holder"}
DOOR = {"balancer", "dns_name", "listener", "group", "states", "unwell"}

REGION = Region(
    hosts=[
        Host("mta", "mta-a", "i-503adf36da1feb0ad", "us-east-1a", "10.20.0.4", "", "0.1.0-abc", "ready", 1204, 7),
        Host("proxy", "proxy-a", "i-253d912c1e1e9fbc7", "us-east-1a", "10.20.16.4", "198.18.113.143", "", "no answer"),
    ],
    addresses=[SendingAddress("198.18.113.143", "mail-a.postroad.test", "us-east-1a", "shared", "proxy-a")],
    front_door=[TargetGroup("front", "front-1.elb", "TLS 587", "submission", {"healthy": 1}, {})],
    providers={"providers": {"gmail": {"verdicts": {"accepted": 3}, "sources": {"198.18.113.143": 3}}}},
    faults={"dns": "nsd is gone"},
    injected=["zones down: us-east-1b"],
)


@pytest.fixture
def _looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "look", lambda: REGION)


@pytest.mark.usefixtures("_looks")
def test_the_document_for_machines_keeps_its_keys() -> None:
    done = CliRunner().invoke(cli.app, ["status", "--json"])
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 1, "one document, one line"
    document = json.loads(done.stdout)
    assert set(document) == DOCUMENT
    assert {key for host in document["hosts"] for key in host} == HOST
    assert set(document["addresses"][0]) == ADDRESS
    assert set(document["front_door"][0]) == DOOR
    assert document["hosts"][1]["queued"] is None
    assert document["providers"]["gmail"] == {"verdicts": {"accepted": 3}, "sources": {"198.18.113.143": 3}}


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=40, legacy_windows=False, _environ={})


def watched(console: Console, *looks: Any) -> str:
    """What is written while these are seen, each once, until Ctrl-C."""
    seen: Iterator[Any] = iter([*looks, KeyboardInterrupt()])

    def look() -> Region:
        found = next(seen)
        if isinstance(found, BaseException):
            raise found
        return found  # type: ignore[no-any-return]

    table.watch(console, look, every=0)
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_watching_takes_the_screen_and_gives_it_back_with_the_last_picture(width: int) -> None:
    written = watched(terminal(width), REGION)
    assert written.count("\x1b[?1049h") == written.count("\x1b[?1049l") == 1, "the alternate screen"
    assert written.count("\x1b[?25l") <= written.count("\x1b[?25h"), "the cursor is seen again"
    left = written.partition("\x1b[?1049l")[2]
    for told in ("mta-a", "1,204", "no answer", "nsd is gone", "zones down: us-east-1b"):
        assert told in left


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_of_the_kept_picture_is_wider_than_the_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, _environ={})
    with console.capture() as capture:
        console.print(table.picture(REGION, width=width))
    assert max(len(line) for line in capture.get().splitlines()) <= width


def test_a_region_that_does_not_answer_keeps_its_last_picture_and_says_so() -> None:
    gone = OperationError("the AWS API doesn't answer", remedy="run: make up")
    written = watched(terminal(120), REGION, gone)
    left = written.partition("\x1b[?1049l")[2]
    assert "mta-a" in left
    assert "the AWS API doesn't answer" in left


def test_it_says_once_that_a_region_does_not_answer_however_often_it_asked() -> None:
    gone = OperationError("the AWS API doesn't answer", remedy="run: make up")
    left = watched(terminal(120), REGION, gone, gone, gone).partition("\x1b[?1049l")[2]
    assert left.count("doesn't answer") == 1


def test_in_a_pipe_watching_writes_no_control_sequences() -> None:
    console = Console(file=io.StringIO(), width=150, _environ={})
    assert "\x1b" not in watched(console, REGION)


def test_postroad_region_watch_is_the_operator_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: run.append([str(program), *arguments]))
    done = CliRunner().invoke(region_cli.app, ["watch"])
    assert done.exit_code == 0
    program = str(Path(sys.executable).with_name("postroad-ops"))
    assert run == [[program, program, "status", "--watch"]]


@pytest.mark.usefixtures("_looks")
@pytest.mark.parametrize("arguments", [["--every", "0.1"], ["--every", "soon"]])
def test_a_pace_that_makes_no_sense_is_refused_before_anything_is_asked(arguments: list[str]) -> None:
    assert CliRunner().invoke(cli.app, ["status", "--watch", *arguments]).exit_code == 2

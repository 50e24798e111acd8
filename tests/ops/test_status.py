"""What hosts say of themselves, and how a person sees the region."""

from typing import Any

import pytest
from postroad_ops import status, table
from postroad_ops.faults import OperationError
from postroad_ops.hosts import Answer, Host, answer_of
from postroad_ops.status import Region, SendingAddress, TargetGroup
from rich.console import Console

METRICS = """# HELP postroad_mta_build_info What runs.
postroad_mta_build_info{release="0.1.0-abc",version="0.1.0"} 1.0
postroad_mta_sessions{direction="in"} 2.0
postroad_mta_sessions{direction="out"} 5.0
postroad_mta_queued_messages 1204.0
"""


@pytest.mark.parametrize(
    ("status", "metrics", "answer"),
    [
        (200, METRICS, Answer("ready", "0.1.0-abc", 1204, 7)),
        (503, METRICS, Answer("not ready", "0.1.0-abc", 1204, 7)),
        (200, 'postroad_proxy_build_info{release="r"} 1\npostroad_proxy_sessions 3\n', Answer("ready", "r", None, 3)),
        (200, "", Answer("ready", "", None, None)),
    ],
)
def test_a_host_is_what_it_says(status: int, metrics: str, answer: Answer) -> None:
    assert answer_of(status, metrics) == answer


def test_the_queues_of_all_workers_are_one() -> None:
    metrics = 'postroad_mta_queued_messages{worker="1"} 3.0\npostroad_mta_queued_messages{worker="2"} 4.0\n'
    assert answer_of(200, metrics).queued == 7


def region(**parts: Any) -> Region:
    host = Host("mta", "mta-a", "i-1", "us-east-1a", "10.20.0.4", "", "r1", "ready", 1204, 7)
    providers = {"providers": {"gmail": {"verdicts": {"accepted": 3, "deferred": 2}, "sources": {"198.18.113.5": 5}}}}
    return Region(**{"hosts": [host], "addresses": [], "front_door": [], "providers": providers, **parts})


def seen(found: Region) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - Console owns it
    table.show(console, found)
    return console.export_text()


def test_a_picture_has_what_there_is_and_no_empty_tables() -> None:
    text = seen(region())
    assert "1,204" in text
    assert "2 deferred" in text
    assert "front door" not in text
    assert "sends from" not in text


def test_targets_that_get_no_connections_are_named_with_the_reason() -> None:
    door = TargetGroup(
        "front", "front-1.elb", "TLS 587", "submission", {"healthy": 2, "unhealthy": 1}, {"mta-c": "Target.Timeout"}
    )
    text = seen(region(front_door=[door]))
    assert "2 healthy, 1 unhealthy mta-c: Target.Timeout" in text


def test_an_address_that_leads_nowhere_and_faults_are_seen() -> None:
    lost = SendingAddress("198.18.113.5", "mail-a.postroad.test", "us-east-1a", "shared", "")
    text = seen(region(addresses=[lost], faults={"dns": "nsd is gone"}, injected=["zone down a"]))
    assert "nobody" in text
    assert "dns: nsd is gone" in text
    assert "injected: zone down a" in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"applied": True}, []),
        ({"applied": True, "zones_down": ["us-east-1a"]}, ["zones down: us-east-1a"]),
        ({"applied": True, "partitions": [["us-east-1a", "us-east-1b"]]}, ["partitions: us-east-1a and us-east-1b"]),
        ({"applied": True, "frozen": ["i-1", "i-2"]}, ["frozen: mta-a, i-2"]),
        ({"applied": False, "limits": {"i-1": {}}}, ["limits: mta-a", "not all of it is true yet"]),
        (
            {"applied": False, "fault": "faults.json is torn"},
            ["fault: faults.json is torn", "not all of it is true yet"],
        ),
    ],
)
def test_what_is_injected_is_told_by_kind_and_name(said: dict[str, Any], told: list[str]) -> None:
    assert status._injected(said, {"i-1": "mta-a"}) == told


def test_the_document_for_machines_has_the_providers_at_its_top() -> None:
    document = region().as_dict()
    assert document["hosts"][0]["queued"] == 1204
    assert document["providers"]["gmail"]["verdicts"]["accepted"] == 3


def test_watching_outlives_a_region_that_does_not_answer_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([region(), OperationError("the AWS API doesn't answer", remedy="run: make up"), KeyboardInterrupt()])

    def look() -> Region:
        found = next(looks)
        if isinstance(found, BaseException):
            raise found
        return found

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - Console owns it
    table.watch(console, look, every=0)
    text = console.export_text()
    assert "1,204" in text
    assert "doesn't answer" in text

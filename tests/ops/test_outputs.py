"""What the operator's commands read out of the native tools' output."""

import pytest
from postroad_ops import delivery, hosts, stack, up

PULUMI = """
Resources:
    + 3 created
    ~ 1 updated
    4 changes. 16 unchanged

Duration: 15s
"""
RECAP = """
PLAY RECAP *********************************************************************
localhost                  : ok=9    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
mta-a-964d5                : ok=74   changed=14   unreachable=0    failed=0    skipped=10   rescued=0    ignored=0
"""


def test_the_recap_counts_hosts_and_changes() -> None:
    assert up.changed(RECAP) == "2 hosts, changed=15"


@pytest.mark.parametrize(
    ("output", "expected"),
    [(PULUMI, "3 created, 1 updated"), ("Resources:\n    67 unchanged\n", "67 unchanged"), ("", "no change")],
)
def test_a_run_of_pulumi_in_a_few_words(output: str, expected: str) -> None:
    assert stack.summary(output) == expected


def test_a_host_tells_its_release_in_build_info() -> None:
    metrics = 'x 1\npostroad_mta_build_info{channel="stable",release="0.1.0-d8bc4e2f5fb8",version="0.1.0"} 1.0\n'
    found = hosts.BUILD_INFO.search(metrics)
    assert found
    assert found.group(1) == "0.1.0-d8bc4e2f5fb8"


def test_a_message_carries_its_number_in_wire_form() -> None:
    recipient, content = delivery.message("b1", 7, domain="gmail.test", sender="news@postroad.test", octets=1000)
    head, _, body = content.partition(b"\r\n\r\n")
    assert recipient == "user-b1-7@gmail.test"
    assert b"\r\nX-Postroad-Send: b1-7\r\n" in head
    assert b"From: News <news@postroad.test>" in head
    assert content.count(b"\n") == content.count(b"\r\n")
    assert 500 < len(body) < 1500


@pytest.mark.parametrize(
    ("accepted", "delivered", "twice", "complete"),
    [(10, 10, 0, True), (10, 9, 0, False), (9, 9, 0, False), (10, 10, 1, False)],
)
def test_a_batch_is_complete_when_all_arrived_once(accepted: int, delivered: int, twice: int, complete: bool) -> None:
    report = delivery.Report("b", asked=10, accepted=accepted, delivered=delivered, twice=twice)
    assert report.complete is complete


def test_an_unknown_stack_is_named_with_the_known_ones() -> None:
    with pytest.raises(Exception, match=r"no stack 'prod'; choose one of local, uat, staging, production"):
        stack.check_name("prod")

"""One answer of several."""

from postroad.workers import merge

ONE = """# HELP m_total Things.
# TYPE m_total counter
m_total 3.0
# HELP h_seconds Times.
# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 1.0
h_seconds_sum 0.05
"""


def test_metrics_carry_the_number_of_their_worker() -> None:
    assert merge.metrics({1: ONE, 2: ONE.replace("3.0", "4.0")}).splitlines() == [
        "# HELP m_total Things.",
        "# TYPE m_total counter",
        'm_total{worker="1"} 3.0',
        'm_total{worker="2"} 4.0',
        "# HELP h_seconds Times.",
        "# TYPE h_seconds histogram",
        'h_seconds_bucket{le="0.1",worker="1"} 1.0',
        'h_seconds_sum{worker="1"} 0.05',
        'h_seconds_bucket{le="0.1",worker="2"} 1.0',
        'h_seconds_sum{worker="2"} 0.05',
    ]


def test_queues_add_up_by_site_and_domain() -> None:
    counts = {"messages": 2, "scheduled": 1, "ready": 1, "in_flight": 0, "spool_octets": 10}
    one = {
        **counts,
        "oldest_seconds": 5.0,
        "sites": [{"site": "a", "ready": 1, "connections": 2}],
        "domains": [{"domain": "x", "recipients": 1, "next_attempt_in": 9.0, "last_reply": ""}],
    }
    two = {
        **counts,
        "oldest_seconds": 7.0,
        "sites": [{"site": "b", "ready": 3, "connections": 1}, {"site": "a", "ready": 1, "connections": 1}],
        "domains": [{"domain": "x", "recipients": 2, "next_attempt_in": 4.0, "last_reply": "450 later"}],
    }
    whole = merge.queue([one, two])
    assert (whole["messages"], whole["spool_octets"], whole["oldest_seconds"]) == (4, 20, 7.0)
    assert whole["sites"] == [
        {"site": "b", "ready": 3, "connections": 1},
        {"site": "a", "ready": 2, "connections": 3},
    ]
    assert whole["domains"] == [{"domain": "x", "recipients": 3, "next_attempt_in": 4.0, "last_reply": "450 later"}]


def test_a_drain_is_safe_when_all_workers_are() -> None:
    def part(*, safe: bool, moved: int, reasons: list[str]) -> dict[str, object]:
        target = {"address": "h:1", "state": "takes", "reason": "" if safe else "slow", "moved": moved}
        return {
            "draining": True,
            "since": 5.0 if safe else 3.0,
            "safe": safe,
            "messages": 0 if safe else 7,
            "offered": 0,
            "moved": moved,
            "in_flight": 0,
            "sessions": 1,
            "accepting": not safe,
            "delivering": False,
            "waiting_for": reasons,
            "targets": [target],
        }

    whole = merge.drain([part(safe=True, moved=3, reasons=[]), part(safe=False, moved=4, reasons=["7 messages"])])
    assert (whole["safe"], whole["accepting"], whole["since"]) == (False, True, 3.0)
    assert (whole["messages"], whole["moved"], whole["sessions"]) == (7, 7, 2)
    assert whole["waiting_for"] == ["worker 2: 7 messages"]
    assert whole["targets"] == [{"address": "h:1", "state": "takes", "reason": "slow", "moved": 7}]
    assert merge.drain([part(safe=True, moved=1, reasons=[])] * 2)["safe"]

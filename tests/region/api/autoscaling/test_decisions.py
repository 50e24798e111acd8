"""The decisions of Auto Scaling, as tables."""

from typing import Any

import pytest
from postroad_region.api.autoscaling import adjustment, health, hooks, refresh, termination
from postroad_region.api.autoscaling.adjustment import Step
from postroad_region.api.autoscaling.hooks import ABANDON, CONTINUE, Verdict
from postroad_region.api.autoscaling.refresh import Old, Preferences, Refresh
from postroad_region.api.autoscaling.termination import Candidate


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ([], Verdict.PROCEED),
        ([""], Verdict.WAIT),
        ([CONTINUE], Verdict.PROCEED),
        ([CONTINUE, ""], Verdict.WAIT),
        ([ABANDON, ""], Verdict.ABANDON),
        ([ABANDON, CONTINUE], Verdict.ABANDON),
    ],
)
def test_continue_ends_its_own_hold_and_abandon_all(results: list[str], verdict: Verdict) -> None:
    held = [hooks.hold(str(i), "t", timeout=60, default=CONTINUE, now=0) for i in range(len(results))]
    for one, result in zip(held, results, strict=True):
        one.result = result
    assert hooks.verdict(held, 59) is verdict


def test_a_hold_ends_with_its_default_result_at_the_timeout() -> None:
    for default, verdict in ((CONTINUE, Verdict.PROCEED), (ABANDON, Verdict.ABANDON)):
        held = [hooks.hold("h", "t", timeout=60, default=default, now=0)]
        assert hooks.verdict(held, 59.9) is Verdict.WAIT
        assert hooks.verdict(held, 60) is verdict


def test_heartbeats_prolong_a_hold_up_to_the_global_timeout() -> None:
    held = hooks.hold("h", "t", timeout=30, default=ABANDON, now=0)
    assert held.last == 3000
    for now in range(20, 3000, 20):
        hooks.heartbeat(held, now)
        assert hooks.result(held, now) == ""
    assert hooks.result(held, 2999) == ""
    assert hooks.result(held, 3000) == ABANDON
    assert hooks.global_timeout(7200) == 48 * 3600


OLD = ("lt-1", 1)
NOW = ("lt-1", 3)
FLEET = [
    Candidate("i-1", "a", 100, ("lt-1", 2)),
    Candidate("i-2", "a", 50, NOW),
    Candidate("i-3", "a", 200, OLD),
    Candidate("i-4", "b", 10, ("lt-0", 9)),
]


@pytest.mark.parametrize(
    ("policies", "chosen"),
    [
        (["Default"], ["i-3", "i-1", "i-4"]),
        (["OldestInstance"], ["i-2", "i-1", "i-4"]),
        (["NewestInstance"], ["i-3", "i-1", "i-2"]),
        (["OldestLaunchTemplate", "OldestInstance"], ["i-3", "i-1", "i-4"]),
    ],
)
def test_the_fullest_zone_loses_first_then_the_policy_decides(policies: list[str], chosen: list[str]) -> None:
    assert termination.choose(FLEET, 3, policies, NOW) == chosen


def test_a_protected_instance_is_never_chosen() -> None:
    fleet = [Candidate("i-1", "a", 1, OLD, protected=True), Candidate("i-2", "a", 2, NOW)]
    assert termination.choose(fleet, 2, ["OldestInstance"], NOW) == ["i-2"]


@pytest.mark.parametrize(
    ("signs", "kind", "fault"),
    [
        ({"running": False}, "EC2", health.STOPPED),
        ({"in_service": 95.0, "running": False}, "EC2", health.STOPPED),
        ({"impaired": True}, "EC2", health.IMPAIRED),
        ({"impaired": True, "in_service": 95.0}, "EC2", None),
        ({"unhealthy_target": True}, "EC2", None),
        ({"unhealthy_target": True}, "ELB", health.UNHEALTHY_TARGET),
        ({"unhealthy_target": True, "in_service": 95.0}, "ELB", None),
        ({}, "ELB", None),
    ],
)
def test_health_by_type_and_grace(signs: dict[str, Any], kind: str, fault: str | None) -> None:
    all_signs = {"running": True, "impaired": False, "unhealthy_target": False, "in_service": 0.0, **signs}
    assert health.fault(health.Signs(**all_signs), kind=kind, grace=10, now=100.0) == fault


@pytest.mark.parametrize(
    ("kind", "by", "current", "least", "result"),
    [
        ("ChangeInCapacity", 5, 3, 0, 8),
        ("ExactCapacity", 5, 3, 0, 5),
        ("PercentChangeInCapacity", 10, 10, 0, 11),
        ("PercentChangeInCapacity", 127, 10, 0, 22),
        ("PercentChangeInCapacity", 10, 3, 0, 4),
        ("PercentChangeInCapacity", -10, 3, 0, 2),
        ("PercentChangeInCapacity", -67, 10, 0, 4),
        ("PercentChangeInCapacity", 25, 4, 2, 6),
        ("PercentChangeInCapacity", -25, 4, 2, 2),
        ("PercentChangeInCapacity", 50, 0, 2, 0),
    ],
)
def test_adjustments_round_as_the_user_guide_says(kind: str, by: int, current: int, least: int, result: int) -> None:
    assert adjustment.capacity(kind, by, current, least=least) == result


OUT = [Step(0, 10, 0), Step(10, 20, 10), Step(20, None, 30)]
IN = [Step(-10, 0, 0), Step(-20, -10, -10), Step(None, -20, -30)]


@pytest.mark.parametrize(
    ("steps", "breach", "by"),
    [
        (OUT, 0, 0),
        (OUT, 9.9, 0),
        (OUT, 10, 10),
        (OUT, 20, 30),
        (OUT, 500, 30),
        (OUT, -1, None),
        (IN, -9.9, 0),
        (IN, -10, -10),
        (IN, -20, -30),
        (IN, -99, -30),
        (IN, 1, None),
    ],
)
def test_a_step_is_found_by_its_bounds(steps: list[Step], breach: float, by: int | None) -> None:
    found = adjustment.step_for(steps, breach)
    assert (found.adjustment if found else None) == by


@pytest.mark.parametrize(
    ("current", "value", "target", "scale_in", "result"),
    [
        (4, 75, 50, False, 6),
        (4, 50, 50, False, 4),
        (4, 10, 50, False, 4),
        (4, 10, 50, True, 1),
        (0, 10, 5, False, 1),
        (3, 0, 50, True, 0),
    ],
)
def test_a_target_is_tracked_in_proportion(
    current: int, value: float, target: float, scale_in: bool, result: int
) -> None:
    assert adjustment.tracked(current, value, target, scale_in=scale_in) == result


def made(total: int, **wishes: Any) -> Refresh:
    wanted = {f"i-{number}" for number in range(total)}
    return Refresh("r", 0.0, Preferences(**wishes), wanted, total)


def old(count: int, ready: bool = True, movable: bool = True) -> list[Old]:
    return [Old(f"i-{number}", ready, movable) for number in range(count)]


@pytest.mark.parametrize(
    ("wishes", "desired", "olds", "new", "launch", "gone"),
    [
        ({}, 1, old(1), (0, 0), 0, 1),
        ({}, 10, old(10), (0, 0), 0, 1),
        ({}, 10, old(9), (0, 1), 0, 0),
        ({"min_healthy": 50}, 10, old(10), (0, 0), 0, 5),
        ({"min_healthy": 0}, 4, old(4), (0, 0), 0, 4),
        ({"min_healthy": 100}, 3, old(3), (0, 0), 0, 1),
        ({"min_healthy": 100}, 3, old(2), (0, 1), 0, 0),
        ({"min_healthy": 100, "max_healthy": 110}, 3, old(3), (0, 0), 1, 0),
        ({"min_healthy": 100, "max_healthy": 110}, 3, old(3), (0, 1), 0, 0),
        ({"min_healthy": 100, "max_healthy": 110}, 3, old(3), (1, 0), 0, 1),
        ({"min_healthy": 100, "max_healthy": 200}, 3, old(3), (0, 0), 3, 0),
        ({"min_healthy": 100}, 3, [*old(2), Old("i-9", ready=False)], (0, 0), 0, 1),
        ({"min_healthy": 0}, 2, old(2, movable=False), (0, 0), 0, 0),
    ],
)
def test_what_a_refresh_replaces_next(
    wishes: dict[str, Any], desired: int, olds: list[Old], new: tuple[int, int], launch: int, gone: int
) -> None:
    plan = refresh.plan(
        made(max(desired, len(olds)), **wishes), desired=desired, old=olds, new_ready=new[0], new_pending=new[1]
    )
    assert (plan.launch, len(plan.terminate)) == (launch, gone)
    assert not plan.finished


def test_an_unready_instance_goes_before_those_in_service() -> None:
    plan = refresh.plan(made(3), desired=3, old=[*old(2), Old("i-9", ready=False)], new_ready=0, new_pending=0)
    assert plan.terminate == ("i-9",)


def test_a_refresh_is_finished_when_all_are_new_and_warm() -> None:
    assert not refresh.plan(made(2), desired=2, old=[], new_ready=1, new_pending=1).finished
    assert refresh.plan(made(2), desired=2, old=[], new_ready=2, new_pending=0).finished


def test_a_refresh_pauses_at_each_checkpoint() -> None:
    running = made(10, checkpoints=(20, 100), checkpoint_delay=60, min_healthy=0)
    assert refresh.advance(running, 10, 0, 0.0) == ""
    first = refresh.plan(running, desired=10, old=old(10), new_ready=0, new_pending=0)
    assert len(first.terminate) == 2
    assert refresh.advance(running, 8, 2, 5.0) == "", "replaced ones warm up first"
    assert "60 seconds" in refresh.advance(running, 8, 0, 10.0)
    assert refresh.advance(running, 8, 0, 69.0)
    assert refresh.advance(running, 8, 0, 70.0) == ""
    second = refresh.plan(running, desired=10, old=old(8), new_ready=2, new_pending=0)
    assert len(second.terminate) == 8
    assert refresh.advance(running, 0, 0, 80.0), "the last checkpoint bakes too"
    assert refresh.advance(running, 0, 0, 140.0) == ""
    assert refresh.plan(running, desired=10, old=[], new_ready=10, new_pending=0).finished


def test_a_refresh_whose_last_checkpoint_is_below_100_ends_there() -> None:
    running = made(10, checkpoints=(50,), checkpoint_delay=0, min_healthy=0)
    assert refresh.advance(running, 5, 0, 0.0) == ""
    assert refresh.plan(running, desired=10, old=old(5), new_ready=5, new_pending=0).finished


@pytest.mark.parametrize(("left", "pending", "percent"), [(10, 0, 0), (8, 2, 0), (8, 0, 20), (0, 1, 90), (0, 0, 100)])
def test_percent_counts_what_is_healthy(left: int, pending: int, percent: int) -> None:
    assert refresh.progress(10, left, pending) == percent
    assert refresh.progress(0, 0, 0) == 100

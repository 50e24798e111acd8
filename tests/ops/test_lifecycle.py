"""What a lifecycle hook's message asks for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_ops.lifecycle import TERMINATING, Act, Held, decide, read

HELD = Held("i-1", "postroad-local-mta-a", "drain", "token")
MESSAGE = {
    "LifecycleTransition": TERMINATING,
    "EC2InstanceId": "i-1",
    "AutoScalingGroupName": "postroad-local-mta-a",
    "LifecycleHookName": "drain",
    "LifecycleActionToken": "token",
}


def test_a_message_names_the_instance_and_who_keeps_it() -> None:
    assert read(json.dumps(MESSAGE)) == HELD


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        json.dumps({"Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": "g"}),
        json.dumps({**MESSAGE, "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}),
        json.dumps({**MESSAGE, "EC2InstanceId": ""}),
        json.dumps({**MESSAGE, "LifecycleActionToken": 1}),
    ],
)
def test_what_is_about_no_instance_that_ends_is_none(body: str) -> None:
    assert read(body) is None


@given(st.text() | st.dictionaries(st.sampled_from([*MESSAGE, "Event"]), st.none() | st.text()).map(json.dumps))
def test_no_message_is_a_fault(body: str) -> None:
    found = read(body)
    assert found is None or (found.instance and found.token)


@pytest.mark.parametrize(
    ("held", "waits", "runs", "act"),
    [
        (None, False, False, Act.FORGET),
        (HELD, False, True, Act.FORGET),
        (HELD, False, False, Act.FORGET),
        (HELD, True, False, Act.RELEASE),
        (HELD, True, True, Act.DRAIN),
    ],
)
def test_only_a_running_instance_that_waits_is_drained(held: Held | None, waits: bool, runs: bool, act: Act) -> None:
    assert decide(held, waits=waits, runs=runs) is act

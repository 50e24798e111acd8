"""Alarms act on their own: a metric crosses its threshold, and a host appears."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from postroad_bench.small_group import SmallGroup, small_group
from postroad_ops import hosts

from tests.e2e.waiting import wait_for

NAMESPACE = "Postroad/Trial"
# A minute's depth of a queue is known at its end; three of a tracking policy's periods of 10 s are less.
SECONDS = 100


@pytest.fixture(scope="module")
def groups() -> Iterator[dict[str, SmallGroup]]:
    """Three groups whose metrics cross their thresholds at the same time, so that the longest wait is the only one."""
    sqs = hosts.client("sqs", "local")
    with ExitStack() as stack:
        step, tracked, queued = (
            stack.enter_context(small_group(f"trial-{kind}")) for kind in ("step", "tracked", "queued")
        )
        queue = sqs.create_queue(QueueName=queued.name)["QueueUrl"]
        stack.callback(sqs.delete_queue, QueueUrl=queue)
        step.steps({"Namespace": NAMESPACE, "MetricName": "Load", "Period": 10, "Threshold": 100.0})
        specification = {"Namespace": NAMESPACE, "MetricName": "PerHost", "Statistic": "Average", "Period": 10}
        tracked.tracks(50.0, specification)
        queued.steps(
            {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": queued.name}],
                "Period": 60,
                "Threshold": 5.0,
            }
        )
        step.report(NAMESPACE, "Load", 250.0)
        entries = [{"Id": str(number), "MessageBody": "mail"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        yield {"step": step, "tracked": tracked, "queued": queued}


def test_a_step_policy_adds_a_host_when_a_metric_crosses_its_threshold(groups: dict[str, SmallGroup]) -> None:
    wait_for(groups["step"].hosts_in_service, seconds=SECONDS, what="a host of the step policy")


def test_target_tracking_adds_a_host_when_its_metric_stays_too_high(groups: dict[str, SmallGroup]) -> None:
    group = groups["tracked"]

    def in_service() -> bool:
        # Three periods in a row must be too high.
        group.report(NAMESPACE, "PerHost", 90.0)
        return bool(group.hosts_in_service())

    wait_for(in_service, seconds=SECONDS, what="a host of the tracking policy")


def test_a_queue_that_grows_adds_a_host(groups: dict[str, SmallGroup]) -> None:
    wait_for(groups["queued"].hosts_in_service, seconds=SECONDS, what="a host for the queue")
    told = groups["queued"].autoscaling.describe_scaling_activities(AutoScalingGroupName=groups["queued"].name)
    assert any("alarm trial-queued in state ALARM" in activity["Cause"] for activity in told["Activities"])

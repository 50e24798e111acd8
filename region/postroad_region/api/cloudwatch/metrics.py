"""The region's own metrics: queue depth of SQS and sizes of Auto Scaling groups, each minute; and old points dropped.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import MetricDatum, cloudwatch_backends
from moto.sqs.models import sqs_backends

from postroad_region.api.autoscaling import record
from postroad_region.api.clock import moment
from postroad_region.api.cloudwatch.statistics import Sample

INTERVAL_SECONDS = 60
KEPT_SECONDS = 3 * 3600
# An attribute of moto's backend: the minute that was measured last.
_MEASURED = "postroad_measured"


def measure(now: float) -> bool:
    """Note each queue's and group's numbers once a minute; whether it was time."""
    places = {
        (str(account), str(region))
        for backends in (sqs_backends, autoscaling_backends)
        for account, regions in list(backends.items())
        for region in list(regions)
    }
    measured = [_measure(account, region, now) for account, region in sorted(places)]
    return any(measured)


def _measure(account: str, region: str, now: float) -> bool:
    cloudwatch = cloudwatch_backends[account][region]
    minute = int(now // INTERVAL_SECONDS)
    if cloudwatch.__dict__.get(_MEASURED) == minute:
        return False
    cloudwatch.__dict__[_MEASURED] = minute
    # What stands at the end of a minute is that minute's number: alarms that look at it now see it now.
    measured_at = moment(minute * INTERVAL_SECONDS - 1.0)
    points: list[tuple[str, str, dict[str, str], float]] = []
    for queue in sqs_backends[account][region].queues.values():
        dimension = {"QueueName": queue.name}
        points += [("AWS/SQS", name, dimension, value) for name, value in queue_numbers(queue, now).items()]
    for group in autoscaling_backends[account][region].autoscaling_groups.values():
        dimension = {"AutoScalingGroupName": group.name}
        numbers = group_numbers(group)
        points += [("AWS/AutoScaling", name, dimension, numbers[name]) for name in group.metrics if name in numbers]
    for namespace, name, dimension, number in points:
        dimensions = [{"Name": key, "Value": value} for key, value in dimension.items()]
        cloudwatch.metric_data.append(MetricDatum(namespace, name, number, dimensions, measured_at, "Count"))
    before = len(cloudwatch.metric_data)
    cloudwatch.metric_data = [item for item in cloudwatch.metric_data if seconds(item) > now - KEPT_SECONDS]
    return bool(points) or len(cloudwatch.metric_data) != before


def queue_numbers(queue: Any, now: float) -> dict[str, float]:
    """A queue's metrics; the age is that of the oldest message that isn't deleted."""
    messages = list(queue._messages)
    sent = [int(message.sent_timestamp) / 1000 for message in messages if message.sent_timestamp]
    return {
        "ApproximateNumberOfMessagesVisible": float(queue.approximate_number_of_messages),
        "ApproximateNumberOfMessagesNotVisible": float(queue.approximate_number_of_messages_not_visible),
        "ApproximateNumberOfMessagesDelayed": float(queue.approximate_number_of_messages_delayed),
        "ApproximateAgeOfOldestMessage": max(0.0, now - min(sent)) if sent else 0.0,
    }


def group_numbers(group: Any) -> dict[str, float]:
    """A group's metrics."""
    states = Counter(state.lifecycle_state.split(":")[0] for state in group.instance_states)
    return {
        "GroupMinSize": float(group.min_size or 0),
        "GroupMaxSize": float(group.max_size or 0),
        "GroupDesiredCapacity": float(group.desired_capacity or 0),
        "GroupInServiceInstances": float(states[record.IN_SERVICE]),
        "GroupPendingInstances": float(states[record.PENDING]),
        "GroupStandbyInstances": float(states[record.STANDBY]),
        "GroupTerminatingInstances": float(states[record.TERMINATING]),
        "GroupTotalInstances": float(len(group.instance_states)),
    }


def seconds(datum: Any) -> float:
    """A data point's time in seconds since the epoch; moto keeps them with and without a zone, always UTC."""
    given: datetime = datum.timestamp
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def samples(backend: Any, namespace: str, name: str, dimensions: dict[str, str], unit: str | None) -> list[Sample]:
    """The data points of one metric: name, namespace and all dimensions are the same, as CloudWatch has it."""
    found = []
    for datum in backend.metric_data:
        if datum.namespace != namespace or datum.name != name or (unit and datum.unit != unit):
            continue
        if {dimension.name: dimension.value for dimension in datum.dimensions} != dimensions:
            continue
        if isinstance(datum, MetricDatum):
            number = float(datum.value)
            found.append(Sample(seconds(datum), number, number, number))
        else:
            count = float(datum.sample_count)
            found.append(Sample(seconds(datum), float(datum.sum), float(datum.min), float(datum.max), count))
    return found

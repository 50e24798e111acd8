"""SQS where moto falls short: a queue keeps its policy until a call names it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import Queue


def _set_attributes(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
    policy = queue.policy if "_policy_json" in queue.__dict__ else None
    _original_set(queue, attributes, now)
    if "Policy" not in attributes:
        queue.policy = policy
    elif attributes["Policy"] == "":
        queue.policy = None


_original_set = Queue._set_attributes
Queue._set_attributes = _set_attributes

"""SQS long polling: moto would wait for a message inside of the call, and everybody else with it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroad_region.api.server import Answer

INTERVAL = 0.1
LONGEST = 20.0
"""Seconds that WaitTimeSeconds may say."""


def receive(octets: bytes, ask: Callable[[bytes], Answer]) -> Answer:
    """Answer a ReceiveMessage: `ask` at once and, as long as nothing is there, again until its time is over."""
    wanted = _wanted(octets)
    if wanted is None:
        return ask(octets)
    deadline = time.monotonic() + wanted.pop("WaitTimeSeconds")
    short = json.dumps({**wanted, "WaitTimeSeconds": 0}).encode()
    while True:
        answer = ask(short)
        if not _empty(answer) or time.monotonic() >= deadline:
            return answer
        time.sleep(INTERVAL)


def _wanted(octets: bytes) -> dict[str, Any] | None:
    """The request, if it asks to wait within AWS's bounds; whatever else it is, moto judges it."""
    try:
        asked = json.loads(octets)
    except ValueError:
        return None
    wait = asked.get("WaitTimeSeconds") if isinstance(asked, dict) else None
    return asked if isinstance(wait, int) and 0 < wait <= LONGEST else None


def _empty(answer: Answer) -> bool:
    return answer.status.startswith("200") and not json.loads(answer.body).get("Messages")

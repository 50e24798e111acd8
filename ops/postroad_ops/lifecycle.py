"""Scale-in without loss: an MTA that its Auto Scaling group takes out is drained before it is let go.

The group's lifecycle hook keeps the instance and puts a message into the stack's queue; this reads it, runs
`playbooks/drain.yml`, gives signs of life meanwhile, and completes the lifecycle action. A message that wasn't dealt
with to the end comes back, here or to another reader: everything may be repeated.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from postroad_ops import hosts, places
from postroad_ops.faults import OperationError
from postroad_ops.up import ansible_environment

log = structlog.get_logger("lifecycle")

QUEUE = "postroad-{stack}-drain"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
# SQS's longest (ReceiveMessage, WaitTimeSeconds).
POLL_SECONDS = 20
# Between signs of life; the shortest heartbeat timeout that settings allow is 30 s.
BEAT_SECONDS = 10.0
# So long after the last sign of life a message is another reader's.
VISIBILITY_SECONDS = 60


class Act(StrEnum):
    """What a message asks for."""

    FORGET = "forget"
    RELEASE = "release"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Held:
    """An instance that waits for its hook."""

    instance: str
    group: str
    hook: str
    token: str

    def as_parameters(self) -> dict[str, str]:
        """For CompleteLifecycleAction and RecordLifecycleActionHeartbeat."""
        return {
            "AutoScalingGroupName": self.group,
            "LifecycleHookName": self.hook,
            "LifecycleActionToken": self.token,
        }


def read(body: str) -> Held | None:
    """The instance that a message is about; None for what isn't about one, as the test that AWS sends with a hook."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("LifecycleTransition") != TERMINATING:
        return None
    names = ("EC2InstanceId", "AutoScalingGroupName", "LifecycleHookName", "LifecycleActionToken")
    values = [value for name in names if isinstance(value := message.get(name), str) and value]
    return Held(*values) if len(values) == len(names) else None


def decide(held: Held | None, *, waits: bool, runs: bool) -> Act:
    """What to do about a message.

    Args:
        waits: the group still keeps the instance for the hook.
        runs: the instance is there to be drained.
    """
    if held is None or not waits:
        return Act.FORGET
    return Act.DRAIN if runs else Act.RELEASE


class Worker:
    """Deals with the messages of a stack's queue, one at a time."""

    def __init__(self, stack: str, *, drain: Callable[[Held], None] | None = None) -> None:
        self._stack = stack
        self._drain = drain or self._run_playbook
        self._sqs = hosts.client("sqs", stack)
        self._groups = hosts.client("autoscaling", stack)
        self._ec2 = hosts.client("ec2", stack)
        self._queue = self._queue_url()

    def once(self, *, wait: int = POLL_SECONDS) -> bool:
        """Deal with the next message, if one comes within `wait` seconds; False if none did.

        Raises:
            OperationError: the drain failed. The message stays, and with it the instance until its hook's time is over.
        """
        got = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=1, WaitTimeSeconds=wait, VisibilityTimeout=VISIBILITY_SECONDS
        )
        for message in got.get("Messages", []):
            self._deal(message)
            return True
        return False

    def _deal(self, message: dict[str, Any]) -> None:
        held = read(message["Body"])
        act = decide(held, waits=held is not None and self._waits(held), runs=held is not None and self._runs(held))
        if held is not None and act is not Act.FORGET:
            log.info(act, instance=held.instance, group=held.group)
            if act is Act.DRAIN:
                with self._alive(held, message["ReceiptHandle"]):
                    self._drain(held)
            self._groups.complete_lifecycle_action(**held.as_parameters(), LifecycleActionResult="CONTINUE")
            log.info("let go", instance=held.instance, group=held.group)
        self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])

    def _queue_url(self) -> str:
        name = QUEUE.format(stack=self._stack)
        try:
            return str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])
        except ClientError as error:
            raise OperationError(
                f"there is no queue {name} ({error})", remedy="run `pulumi up` in pulumi/mail"
            ) from None

    def _waits(self, held: Held) -> bool:
        found = self._groups.describe_auto_scaling_instances(InstanceIds=[held.instance])["AutoScalingInstances"]
        return any(each["LifecycleState"] == "Terminating:Wait" for each in found)

    def _runs(self, held: Held) -> bool:
        found = self._ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [held.instance]}])
        states = [i["State"]["Name"] for each in found["Reservations"] for i in each["Instances"]]
        return states == ["running"]

    @contextmanager
    def _alive(self, held: Held, receipt: str) -> Iterator[None]:
        """Keep the hook waiting and the message ours for as long as the block runs."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                try:
                    self._groups.record_lifecycle_action_heartbeat(**held.as_parameters())
                    self._sqs.change_message_visibility(
                        QueueUrl=self._queue, ReceiptHandle=receipt, VisibilityTimeout=VISIBILITY_SECONDS
                    )
                except (BotoCoreError, ClientError) as error:
                    log.warning("no sign of life given", instance=held.instance, reason=str(error))

        thread = threading.Thread(target=beat, name=f"heartbeat-{held.instance}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _run_playbook(self, held: Held) -> None:
        command = [places.program("ansible-playbook"), "-i", f"inventories/{self._stack}", "playbooks/drain.yml"]
        done = subprocess.run(
            [*command, "-e", f"drain_instance={held.instance}"],
            cwd=places.ROOT / "ansible",
            env={**os.environ, **(ansible_environment() if self._stack == "local" else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            again = f"playbooks/drain.yml -e drain_instance={held.instance}"
            raise OperationError(
                f"{held.instance} of {held.group} can't be drained: {done.stdout[-2000:]}",
                remedy=f"in ansible/: ansible-playbook -i inventories/{self._stack} {again}",
            )


def run(stack: str, *, once: bool) -> None:
    """Deal with what is in the queue, or with all that comes until it is interrupted.

    Raises:
        OperationError: there is no queue, or, with `once`, a drain failed; without, it is logged and tried again.
    """
    worker = Worker(stack)
    if once:
        while worker.once(wait=1):
            pass
        return
    log.info("waiting for MTAs that are to be terminated", stack=stack)
    while True:
        try:
            worker.once()
        except OperationError as error:
            log.error("drain failed", reason=str(error), remedy=error.remedy)
        except (BotoCoreError, ClientError) as error:
            log.warning("the API can't be asked", reason=str(error))
            threading.Event().wait(POLL_SECONDS)

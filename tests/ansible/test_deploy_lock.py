"""One deploy at a time, and no lock that outlives its holder."""

import json
import os
import subprocess
from typing import Any

import boto3
import deploy_lock
import pytest

BUCKET = "artifacts"


class Done(Exception):
    """The module's answer."""


class Module:
    """What `run` needs of AnsibleModule."""

    check_mode = False

    def __init__(self, **params: Any) -> None:
        defaults = {"key": "locks/deploy.json", "region": "us-east-1", "purpose": "deploy", "ttl": 7200, "steal": False}
        self.params = {"bucket": BUCKET, **defaults, **params}

    def exit_json(self, **answer: Any) -> None:
        raise Done(answer)

    def fail_json(self, **answer: Any) -> None:
        raise Done({"failed": True, **answer})


def ask(**params: Any) -> dict[str, Any]:
    with pytest.raises(Done) as answer:
        deploy_lock.run(Module(**{"pid": os.getpid(), **params}))
    return answer.value.args[0]


@pytest.fixture(autouse=True)
def bucket(aws: str) -> None:
    boto3.client("s3").create_bucket(Bucket=BUCKET)


@pytest.fixture
def other() -> Any:
    """Another process on this machine that is alive."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_who_comes_second_is_told_who_holds_it(other: Any) -> None:
    assert ask(state="present", pid=other.pid, purpose="deploy of 1.0")["changed"]
    refused = ask(state="present")
    assert refused["failed"]
    assert "the deploy of 1.0 of " in refused["msg"]
    assert f"(pid {other.pid}), for 0 min" in refused["msg"]


def test_the_holder_may_ask_again(other: Any) -> None:
    ask(state="present")
    assert ask(state="present") == {"changed": False, "holder": ask(state="free")["holder"]}


def test_a_dead_holder_on_this_machine_is_succeeded(other: Any) -> None:
    ask(state="present", pid=other.pid)
    other.kill()
    other.wait()
    assert ask(state="present")["taken_from"]["pid"] == other.pid


def test_another_process_with_the_dead_one_s_number_is_not_the_holder(other: Any) -> None:
    ask(state="present", pid=other.pid)
    client = boto3.client("s3")
    lock = json.loads(client.get_object(Bucket=BUCKET, Key="locks/deploy.json")["Body"].read())
    client.put_object(Bucket=BUCKET, Key="locks/deploy.json", Body=json.dumps(lock | {"started": "1"}).encode())
    assert ask(state="present")["changed"]


def test_a_holder_on_another_machine_counts_as_alive_until_its_time_is_over(other: Any) -> None:
    ask(state="present", pid=other.pid)
    client = boto3.client("s3")
    lock = json.loads(client.get_object(Bucket=BUCKET, Key="locks/deploy.json")["Body"].read())
    client.put_object(Bucket=BUCKET, Key="locks/deploy.json", Body=json.dumps(lock | {"host": "elsewhere"}).encode())
    assert ask(state="present")["failed"]
    assert ask(state="present", ttl=-1)["changed"]


def test_a_lock_can_be_stolen_on_purpose(other: Any) -> None:
    ask(state="present", pid=other.pid)
    assert ask(state="present", steal=True)["holder"]["pid"] == os.getpid()


def test_only_the_holder_gives_it_back(other: Any) -> None:
    ask(state="present", pid=other.pid)
    assert not ask(state="absent")["changed"]
    assert ask(state="absent", pid=other.pid)["changed"]
    assert ask(state="free") == {"changed": False, "holder": {}}

"""What the API answered is what the next daemon has, whatever ended the last one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Each life of the API is a process of its own: moto's backends are module state.
LIFE = """
import json, sys, threading
from pathlib import Path
from postroad_region.api import seed
folder = Path(sys.argv[1])
seed.prepare(folder)
from postroad_region.api import patches
from postroad_region.api.state import StateFile
from moto.backends import get_backend
state = StateFile(folder)
loaded = state.load()
lock = threading.RLock()
def save():
    state.wait_saved(state.changed(), lock)
def backend(service, region="us-east-1"):
    return get_backend(service)[seed.ACCOUNT][region]
ec2, s3, kms, ssm, asg, r53 = (backend("ec2"), backend("s3", "aws"), backend("kms"), backend("ssm"),
                               backend("autoscaling"), backend("route53", "aws"))
result = None
exec(sys.argv[2])
print(json.dumps(result))
sys.stdout.flush()
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def life(folder: Path, program: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(folder), program], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_nothing_was_saved_before_the_first_life(tmp_path: Path) -> None:
    assert life(tmp_path, "result = loaded") is False


def test_instances_keep_their_groups_and_addresses(tmp_path: Path) -> None:
    made = life(
        tmp_path,
        """
vpc = ec2.create_vpc("10.20.0.0/16")
subnet = ec2.create_subnet(vpc.id, "10.20.1.0/24", availability_zone="us-east-1a")
template = ec2.create_launch_template("t", "", {"ImageId": seed.BASE_AMI, "InstanceType": "c7gn.large"}, {})
version = {"LaunchTemplateId": template.id, "Version": "1"}
asg.create_auto_scaling_group("g", None, 1, 2, 1, None, version, subnet.id, 300, 300,
    "EC2", [], [], "", [], [], [])
address = ec2.allocate_address("vpc")
save()
instance = asg.autoscaling_groups["g"].instance_states[0].instance
result = [instance.id, instance.private_ip, address.public_ip]
""",
    )
    again = life(
        tmp_path,
        """
instance = asg.autoscaling_groups["g"].instance_states[0].instance
assert instance is ec2.get_instance(instance.id), "group and EC2 hold one object"
result = [instance.id, instance.private_ip, ec2.addresses[0].public_ip]
""",
    )
    assert again == made
    assert made[2].startswith("198.18.113.")


def test_a_queue_takes_messages_after_a_restart(tmp_path: Path) -> None:
    life(tmp_path, 'backend("sqs").create_queue("q", {}); backend("sqs").send_message("q", "one"); save()')
    got = life(
        tmp_path,
        """
sqs = backend("sqs")
def send_and_receive():
    sqs.send_message("q", "two")
    global result
    result = [message.body for message in sqs.receive_message("q", 2, 0, 30)]
thread = threading.Thread(target=send_and_receive, daemon=True)
thread.start()
thread.join(20)
""",
    )
    assert got == ["one", "two"]


def test_locks_are_free_after_a_restart(tmp_path: Path) -> None:
    kinds = "[threading.Lock(), threading.RLock(), threading.Condition()]"
    life(tmp_path, f"ec2.postroad_locks = {kinds}; [lock.acquire() for lock in ec2.postroad_locks]; save()")
    assert life(tmp_path, "result = [lock.acquire(blocking=False) for lock in ec2.postroad_locks]") == [True] * 3


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_objects_keep_their_octets_and_are_written_once(tmp_path: Path, size: int) -> None:
    life(tmp_path, f's3.create_bucket("bucket", "us-east-1"); s3.put_object("bucket", "key", b"x" * {size}); save()')
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "objects").iterdir()}
    result = life(tmp_path, 'save(); v = s3.get_object("bucket", "key").value; result = [len(v), set(v) <= {120}]')
    assert result == [size, True]
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "objects").iterdir()} == before


def test_an_object_that_was_replaced_keeps_its_last_octets(tmp_path: Path) -> None:
    life(tmp_path, 's3.create_bucket("bucket", "us-east-1"); s3.put_object("bucket", "key", b"one"); save()')
    life(tmp_path, 's3.put_object("bucket", "key", b"two"); save()')
    assert life(tmp_path, 'result = s3.get_object("bucket", "key").value.decode()') == "two"
    assert len(list((tmp_path / "objects").iterdir())) == 1, "what nothing refers to is gone after the next start"


def test_keys_and_parameters_survive(tmp_path: Path) -> None:
    key = life(
        tmp_path,
        """
key = kms.create_key("", "SIGN_VERIFY", "RSA_2048", "", {}, "")
ssm.put_parameter("/a", "", "value", "String", "", None, False, [], "text", None, None)
save()
result = key.id
""",
    )
    assert life(tmp_path, f'result = [kms.keys["{key}"].id, ssm.get_parameter("/a").value]') == [key, "value"]


def test_a_default_without_a_name_is_made_after_a_restart(tmp_path: Path) -> None:
    life(tmp_path, "import collections; ec2.postroad_lists = collections.defaultdict(lambda: [1]); save()")
    assert life(tmp_path, "result = ec2.postroad_lists['any']") == [1]


def test_what_was_not_saved_is_not_half_there(tmp_path: Path) -> None:
    life(tmp_path, 'ec2.create_vpc("10.20.0.0/16"); save(); ec2.create_vpc("10.21.0.0/16")')
    blocks = life(tmp_path, "result = sorted(v.cidr_block for v in ec2.vpcs.values())")
    assert "10.20.0.0/16" in blocks
    assert "10.21.0.0/16" not in blocks


def test_a_torn_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    life(tmp_path, 'ec2.create_vpc("10.20.0.0/16"); save()')
    state = tmp_path / "state"
    os.truncate(state, state.stat().st_size // 2)
    done = subprocess.run([sys.executable, "-c", LIFE, str(tmp_path), ""], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "make down && make up" in done.stderr.splitlines()[-1]

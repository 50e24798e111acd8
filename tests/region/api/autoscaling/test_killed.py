"""A daemon killed at any point goes on where it was: all that Auto Scaling and alarms know is in the saved state."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Each life is a process of its own that ends by SIGKILL. `at(seconds)` sets the clock and runs what is due; a save
# happens where the program says, as the API saves before it answers.
LIFE = """
import json, os, signal, socket, sys, threading
from pathlib import Path
from postroad_region.api import seed
folder = Path(sys.argv[1])
seed.prepare(folder)
from postroad_region.api import clock, patches, pulse
from postroad_region.api.server import Api
from postroad_region.api.state import StateFile
import boto3
state = StateFile(folder)
state.load()
api = Api(state, lambda: None)
listener = socket.create_server(("127.0.0.1", 0))
api.serve(listener, "api")
url = f"http://127.0.0.1:{listener.getsockname()[1]}"
def client(service):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="p",
                        aws_secret_access_key="p")
ec2, asg, cloudwatch, sqs = (client(name) for name in ("ec2", "autoscaling", "cloudwatch", "sqs"))
time = [1_800_000_000.0]
clock.source = lambda: time[0]
def at(seconds, save=True):
    time[0] = 1_800_000_000.0 + seconds
    if save:
        api.beat()
    else:
        pulse.beat()
def group():
    return asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]
def members():
    return sorted((m["InstanceId"], m["LifecycleState"], m["LaunchTemplate"]["Version"]) for m in group()["Instances"])
def alive():
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    return sorted(i["InstanceId"] for r in found["Reservations"] for i in r["Instances"])
def refresh():
    return asg.describe_instance_refreshes(AutoScalingGroupName="mta")["InstanceRefreshes"][0]["Status"]
result = None
exec(sys.argv[2])
print(json.dumps(result))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

SETUP = """
vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
data = {"ImageId": seed.BASE_AMI, "InstanceType": "t3.small"}
ec2.create_launch_template(LaunchTemplateName="mta", LaunchTemplateData=data)
ec2.create_launch_template_version(LaunchTemplateName="mta", LaunchTemplateData={**data, "InstanceType": "t3.medium"})
asg.create_auto_scaling_group(
    AutoScalingGroupName="mta", MinSize=0, MaxSize=10, DesiredCapacity=2, VPCZoneIdentifier=subnet,
    LaunchTemplate={"LaunchTemplateName": "mta", "Version": "1"}, HealthCheckGracePeriod=0)
asg.put_lifecycle_hook(
    AutoScalingGroupName="mta", LifecycleHookName="drain", HeartbeatTimeout=600, DefaultResult="CONTINUE",
    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING")
at(0)
"""


def life(folder: Path, program: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(folder), program], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_hold_outlives_the_daemon(tmp_path: Path) -> None:
    before = life(
        tmp_path, SETUP + 'asg.set_desired_capacity(AutoScalingGroupName="mta", DesiredCapacity=1); result = members()'
    )
    assert sorted(state for _, state, _ in before) == ["InService", "Terminating:Wait"]
    assert life(tmp_path, "at(599); result = members()") == before
    left = life(tmp_path, "at(600); result = [members(), alive()]")
    kept = [member for member in before if member[1] == "InService"]
    assert left == [kept, [kept[0][0]]]


def test_a_refresh_killed_before_and_after_each_save_ends_the_same(tmp_path: Path) -> None:
    started = SETUP + (
        'asg.start_instance_refresh(AutoScalingGroupName="mta", Preferences={"InstanceWarmup": 60}, '
        'DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": "mta", "Version": "2"}})\n'
    )
    life(tmp_path, started)
    for seconds in (60, 120, 700, 760):
        # A pass that isn't saved is lost with the daemon, instances and all, and done again.
        life(tmp_path, f"at({seconds}, save=False)")
        life(tmp_path, f"at({seconds})")
    status, left, running = life(tmp_path, "at(1400); result = [refresh(), members(), alive()]")
    assert status == "Successful"
    assert [(state, version) for _, state, version in left] == [("InService", "2")] * 2
    assert running == sorted(identifier for identifier, _, _ in left), "no instance is left that no group knows"


def test_policies_alarms_and_their_metrics_outlive_the_daemon(tmp_path: Path) -> None:
    life(
        tmp_path,
        SETUP
        + """
import datetime
policy = asg.put_scaling_policy(AutoScalingGroupName="mta", PolicyName="out", AdjustmentType="ChangeInCapacity",
                                ScalingAdjustment=2, Cooldown=300)["PolicyARN"]
cloudwatch.put_metric_alarm(AlarmName="queued", Namespace="Postroad", MetricName="Queued", Statistic="Sum", Period=60,
    EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold", AlarmActions=[policy])
moment = datetime.datetime.fromtimestamp(time[0], datetime.UTC)
point = {"MetricName": "Queued", "Value": 50, "Timestamp": moment}
cloudwatch.put_metric_data(Namespace="Postroad", MetricData=[point])
""",
    )
    assert life(tmp_path, 'at(60); result = group()["DesiredCapacity"]') == 4
    assert life(tmp_path, 'at(61); result = group()["DesiredCapacity"]') == 4
    text = 'result = cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"]'
    assert life(tmp_path, text) == "ALARM"

"""EC2's status checks: impaired where the region says that the instance's hardware failed.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instances import Instance

from postroad_region.api.autoscaling.observation import seen

RUNNING = 16


def _status(instance: Any) -> dict[str, Any]:
    if instance.state_code != RUNNING:
        return {"Status": "not-applicable"}
    impaired = instance.id in seen.impaired_instances()
    passed, status = ("failed", "impaired") if impaired else ("passed", "ok")
    return {"Details": [{"Name": "reachability", "Status": passed}], "Status": status}


Instance.instance_status = property(_status)
Instance.system_status = property(_status)

"""GetConsoleOutput as EC2 gives it: what the host really wrote (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-console.html)."""

from __future__ import annotations

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.responses.general import General
from moto.ec2.utils import Base64EncodedString

from postroad_region.hypervisor import hosts


def _console_output(self: General) -> ActionResult:
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    text = hosts.console(instance.id)
    return ActionResult(
        {"InstanceId": instance.id, "Timestamp": utcnow(), "Output": Base64EncodedString.from_raw_string(text)}
    )


General.get_console_output = _console_output

"""Network interfaces that a launch makes go with their instance; others are let go of and stay.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instances import Instance


def _prepare(instance: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    """DeleteOnTermination is true unless the call says otherwise; moto has it the other way round."""
    before = set(instance.ec2_backend.enis)
    kept = {int(nic["DeviceIndex"]) for nic in nic_spec or [] if nic.get("DeleteOnTermination") is False}
    _original_prepare(instance, nic_spec, *args, **kwargs)
    for index, eni in instance.nics.items():
        if eni.id not in before and index not in kept:
            eni.delete_on_termination = True


def _terminate(instance: Any) -> Any:
    attached = list(instance.nics.values())
    ended = _original_terminate(instance)
    for eni in attached:
        if eni.id in instance.ec2_backend.enis:
            # Not by `detach_eni`: what is told of a terminated instance still names its first interface.
            eni.instance = eni.attachment_id = eni.attach_time = None
            eni.status = "available"
    return ended


_original_prepare = Instance.prep_nics
_original_terminate = Instance.terminate
Instance.prep_nics = _prepare
Instance.terminate = _terminate

"""Network interfaces of instances: those made at launch end with it, those attached later outlive it.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instances import Instance
from postroad_infra import instance_types

from postroad_region.api.private_addresses import check_count

# An attribute of moto's instance: it is being terminated, and takes its interfaces with it.
_ENDING = "postroad_ending"


def _prepare(instance: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    """An interface made at launch is deleted on termination unless the launch says otherwise; moto keeps all."""
    brought = {int(spec["DeviceIndex"]) for spec in nic_spec if spec.get("NetworkInterfaceId")}
    kept = {int(spec["DeviceIndex"]) for spec in nic_spec if spec.get("DeleteOnTermination") is False}
    _original_prepare(instance, nic_spec, *args, **kwargs)
    for index, eni in instance.nics.items():
        eni.delete_on_termination = index not in brought | kept


def _terminate(instance: Any) -> Any:
    """What ends with the instance loses its Elastic IPs, which stay allocated; what outlives it keeps them."""
    ending = [eni for eni in instance.nics.values() if eni.delete_on_termination]
    staying = [eni for eni in instance.nics.values() if not eni.delete_on_termination]
    for eip in list(instance.ec2_backend.addresses):
        if eip.eni is not None and any(eip.eni is eni for eni in ending):
            instance.ec2_backend.disassociate_address(address=eip.public_ip)
    instance.__dict__[_ENDING] = True
    before = _original_terminate(instance)
    for eni in staying:
        primary = eni.device_index == 0
        instance.detach_eni(eni)
        if primary:
            # moto describes a terminated instance by its first interface.
            instance.nics[0] = eni
    return before


def _attach(backend: Any, eni_id: str, instance_id: str, device_index: int) -> Any:
    eni, instance = backend.get_network_interface(eni_id), backend.get_instance(instance_id)
    if eni.instance is not None:
        raise _in_use(eni)
    if instance.state not in ("running", "stopped"):
        raise EC2ClientError(
            "IncorrectState", f"Instance '{instance_id}' is not in a valid state: it must be running or stopped."
        )
    zone = instance.nics[0].subnet.availability_zone
    if eni.subnet.availability_zone != zone:
        raise EC2ClientError(
            "InvalidParameterCombination",
            f"You may not attach a network interface to an instance if they are not in the same availability zone: "
            f"{eni_id} is in {eni.subnet.availability_zone}, {instance_id} in {zone}",
        )
    if int(device_index) in instance.nics:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Instance '{instance_id}' already has an interface attached at device index '{device_index}'.",
        )
    facts = instance_types.find(instance.instance_type)
    if facts and len(instance.nics) >= facts.interfaces:
        raise EC2ClientError(
            "AttachmentLimitExceeded",
            f"Interface count {len(instance.nics) + 1} exceeds the limit for {instance.instance_type}",
        )
    check_count(instance.instance_type, len(eni.private_ip_addresses))
    # Attached by hand it stays when the instance ends.
    eni.delete_on_termination = False
    return _original_attach(backend, eni_id, instance_id, device_index)


def _detach(backend: Any, attachment_id: str) -> None:
    eni = next((eni for eni in backend.enis.values() if eni.attachment_id == attachment_id), None)
    if eni is not None and eni.device_index == 0:
        raise EC2ClientError(
            "OperationNotPermitted", "The network interface at device index 0 cannot be detached."
        )  # fmt: skip
    _original_detach(backend, attachment_id)


def _delete(backend: Any, eni_id: str) -> None:
    eni = backend.get_network_interface(eni_id)
    if eni.instance is not None and eni.instance.state != "terminated" and not eni.instance.__dict__.get(_ENDING):
        raise _in_use(eni)
    _original_delete(backend, eni_id)


def _unassign(backend: Any, eni_id: str, private_ip_address: list[str] | None = None) -> Any:
    """An address that leaves an interface loses its Elastic IP, which stays allocated."""
    eni, leaving = backend.get_network_interface(eni_id), private_ip_address or []
    if eni.private_ip_address in leaving:
        raise EC2ClientError(
            "InvalidParameterValue", f"The primary address {eni.private_ip_address} can't be unassigned from {eni_id}."
        )
    for eip in list(backend.addresses):
        if eip.eni is eni and eip.private_ip_address in leaving:
            backend.disassociate_address(address=eip.public_ip)
    return _original_unassign(backend, eni_id, private_ip_address)


def _in_use(eni: Any) -> EC2ClientError:
    return EC2ClientError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")


def _groups(eni: Any) -> list[Any]:
    """The security groups of an interface: its own. moto adds those of the instance, which are the first one's."""
    if eni.device_index:
        return list(eni._group_set)
    return list(_original_groups.fget(eni))


def _instance_of(eip: Any) -> Any:
    """The instance that an address leads to: whichever has the interface now."""
    return eip.eni.instance if eip.eni is not None else None


def _ignore(eip: Any, instance: Any) -> None:
    """What moto notes; the interface knows its instance."""


_original_prepare = Instance.prep_nics
_original_terminate = Instance.terminate
_original_attach = NetworkInterfaceBackend.attach_network_interface
_original_detach = NetworkInterfaceBackend.detach_network_interface
_original_delete = NetworkInterfaceBackend.delete_network_interface
_original_unassign = NetworkInterfaceBackend.unassign_private_ip_addresses
_original_groups: Any = NetworkInterface.group_set

Instance.prep_nics = _prepare
Instance.terminate = _terminate
NetworkInterfaceBackend.attach_network_interface = _attach
NetworkInterfaceBackend.detach_network_interface = _detach
NetworkInterfaceBackend.delete_network_interface = _delete
NetworkInterfaceBackend.unassign_private_ip_addresses = _unassign
NetworkInterface.group_set = property(_groups)
ElasticAddress.instance = property(_instance_of, _ignore)

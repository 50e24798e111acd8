"""Public and Elastic IP addresses: where they come from, what they are associated with, and their reverse names.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html
"""

from __future__ import annotations

import secrets
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import models as ec2_models
from moto.ec2.exceptions import EC2ClientError, ResourceAlreadyAssociatedError
from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.utils import random_eip_association_id
from moto.route53.models import route53_backends

from postroad_region import addresses
from postroad_region.api import quotas

# .0, .1 (the fabric's own) and .255 aren't given out.
_ASSIGNABLE = [str(address) for address in list(addresses.PUBLIC_RANGE.hosts())[1:]]
# Attributes of moto's address: the private address that it maps to, and its reverse name with the last dot.
_PRIVATE = "postroad_private"
_DOMAIN = "postroad_domain"
_LONGEST_CHAIN = 8


class AddressLimitExceededError(EC2ClientError):
    """The quota is used up, or no public address is left, in AWS's words."""

    def __init__(self) -> None:
        super().__init__("AddressLimitExceeded", "The maximum number of addresses has been reached.")


def reverse_names(account: str, region: str) -> dict[str, str]:
    """The name that each public address's PTR record gives, for those that have one."""
    backend = ec2_models.ec2_backends[account][region]
    return {eip.public_ip: eip.__dict__[_DOMAIN] for eip in backend.addresses if eip.__dict__.get(_DOMAIN)}


def public_of(eni: Any) -> list[tuple[str, str]]:
    """The pairs of private and public address of an interface: Elastic IPs first, then one assigned at launch."""
    pairs = [
        (str(eip.private_ip_address), str(eip.public_ip))
        for eip in eni.ec2_backend.addresses
        if eip.eni is not None and eip.eni.id == eni.id
    ]
    if eni.public_ip and eni.private_ip_address not in {private for private, _ in pairs}:
        pairs.append((str(eni.private_ip_address), str(eni.public_ip)))
    return pairs


def _free_address() -> str:
    """A public address that nothing holds: EIPs and auto-assigned ones come from the box's range."""
    taken: set[str] = set()
    for regions in ec2_models.ec2_backends.values():
        for backend in regions.values():
            taken |= {address.public_ip for address in backend.addresses}
            taken |= {eni.public_ip for eni in backend.enis.values() if eni.public_ip}
    free = [address for address in _ASSIGNABLE if address not in taken]
    if not free:
        raise AddressLimitExceededError
    return secrets.choice(free)


def _allocate(backend: Any, *args: Any, **kwargs: Any) -> Any:
    allowed = quotas.limit(quotas.ELASTIC_ADDRESSES, account=backend.account_id, region=backend.region_name)
    if len(backend.addresses) >= allowed:
        raise AddressLimitExceededError
    return _original_allocate(backend, *args, **kwargs)


def _release(backend: Any, address: str | None = None, allocation_id: str | None = None) -> None:
    found = backend.address_by_ip([address]) if address else backend.address_by_allocation([allocation_id])
    if found[0].__dict__.get(_DOMAIN):
        raise EC2ClientError(
            "InvalidAddress.Locked",
            f"Address with allocation id {found[0].allocation_id} cannot be released because it is locked to your "
            "account. Reset its reverse name first.",
        )
    _original_release(backend, address, allocation_id)


def _associate(self: ElasticIPAddresses) -> ActionResult:
    """Associate with the private address asked for, else the interface's primary one.

    An address that another Elastic IP maps to already is taken over, as on AWS; the other stays allocated.
    """
    backend = self.ec2_backend
    eip = _asked_for(self)
    if self._get_param("NetworkInterfaceId"):
        eni = backend.get_network_interface(self._get_param("NetworkInterfaceId"))
    elif self._get_param("InstanceId"):
        instance = backend.get_instance(self._get_param("InstanceId"))
        if instance.state != "running" and instance.state != "stopped":
            raise EC2ClientError("InvalidInstanceID", f"The instance '{instance.id}' is not in a valid state.")
        eni = instance.nics[0]
    else:
        raise EC2ClientError("MissingParameter", "Either instance ID or network interface id must be specified")
    private = self._get_param("PrivateIpAddress") or eni.private_ip_address
    if private not in [entry["PrivateIpAddress"] for entry in eni.private_ip_addresses]:
        raise EC2ClientError("InvalidParameterValue", f"The private IP address {private} is not assigned to {eni.id}")
    self.error_on_dryrun()
    if eip.eni is not None and (eip.eni.id, eip.private_ip_address) == (eni.id, private):
        return ActionResult({"AssociationId": eip.association_id})
    # Reassociation is automatic unless the call says false (API reference, AssociateAddress).
    if eip.eni is not None and str(self._get_param("AllowReassociation")).lower() == "false":
        raise ResourceAlreadyAssociatedError(eip.allocation_id)
    for other in list(backend.addresses):
        if other.eni is not None and (other is eip or (other.eni.id, other.private_ip_address) == (eni.id, private)):
            backend.disassociate_address(address=other.public_ip)
    eip.eni = eni
    eip.__dict__[_PRIVATE] = private
    eip.association_id = random_eip_association_id()
    _note(eip, eni, private)
    if private == eni.private_ip_address:
        eni.public_ip = eip.public_ip
    return ActionResult({"AssociationId": eip.association_id})


def _asked_for(self: ElasticIPAddresses) -> Any:
    if self._get_param("AllocationId"):
        return self.ec2_backend.address_by_allocation([self._get_param("AllocationId")])[0]
    if self._get_param("PublicIp"):
        return self.ec2_backend.address_by_ip([self._get_param("PublicIp")])[0]
    raise EC2ClientError("MissingParameter", "Either public IP or allocation id must be specified")


def _disassociate(backend: Any, address: str | None = None, association_id: str | None = None) -> None:
    found = backend.address_by_ip([address]) if address else backend.address_by_association([association_id])
    eip = found[0]
    eni = eip.eni
    for entry in eni.private_ip_addresses if eni is not None else ():
        if (entry.get("Association") or {}).get("PublicIp") == eip.public_ip:
            del entry["Association"]
    if eni is not None and eni.public_ip == eip.public_ip:
        eni.public_ip = None
        if eni.instance is not None and eni.instance.state == "running":
            eni.check_auto_public_ip()
    eip.eni = eip.association_id = None
    eip.__dict__.pop(_PRIVATE, None)


def _private_address(eip: Any) -> str | None:
    if eip.eni is None:
        return None
    found: str = eip.__dict__.get(_PRIVATE) or eip.eni.private_ip_address
    return found


def _private_list(eni: Any) -> list[dict[str, Any]]:
    """The interface's private addresses with the public one each maps to."""
    listed = []
    for entry in eni.private_ip_addresses:
        primary = entry.get("PrivateIpAddress") == eni.private_ip_address
        item = {**entry, "Primary": primary}
        if primary and eni.public_ip and "Association" not in entry:
            item["Association"] = eni.association
        listed.append(item)
    return listed


def _note(eip: Any, eni: Any, private: str) -> None:
    """Write the association into the interface's list of addresses, where descriptions read it."""
    for entry in eni.private_ip_addresses:
        if entry["PrivateIpAddress"] == private:
            entry["Association"] = {
                "PublicIp": eip.public_ip,
                "AllocationId": eip.allocation_id,
                "AssociationId": eip.association_id,
                "IpOwnerId": eni.ec2_backend.account_id,
            }


def _modify_attribute(self: ElasticIPAddresses) -> ActionResult:
    """Give an address a reverse name, whose A record must point to it.

    AWS doesn't publish which code it refuses with; it is InvalidParameterValue here.
    """
    eip = _asked_for(self)
    domain = str(self._get_param("DomainName") or "").rstrip(".").lower()
    self.error_on_dryrun()
    if not domain:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter DomainName")
    if eip.public_ip not in _resolve(self.current_account, f"{domain}."):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The domain name {domain} does not resolve to {eip.public_ip}: its A record must point to the address "
            "before the reverse name is set.",
        )
    eip.__dict__[_DOMAIN] = f"{domain}."
    return ActionResult({"Address": _attribute(eip)})


def _describe_attribute(self: ElasticIPAddresses) -> ActionResult:
    self.error_on_dryrun()
    found = self.ec2_backend.describe_addresses(self._get_param("AllocationIds", []))
    return ActionResult({"Addresses": [_attribute(eip) for eip in found]})


def _reset_attribute(self: ElasticIPAddresses) -> ActionResult:
    eip = _asked_for(self)
    if self._get_param("Attribute") != "domain-name":
        raise EC2ClientError("InvalidParameterValue", f"Invalid attribute: {self._get_param('Attribute')}")
    self.error_on_dryrun()
    eip.__dict__.pop(_DOMAIN, None)
    return ActionResult({"Address": _attribute(eip)})


def _attribute(eip: Any) -> dict[str, Any]:
    described = {"PublicIp": eip.public_ip, "AllocationId": eip.allocation_id}
    domain = eip.__dict__.get(_DOMAIN)
    return {**described, "PtrRecord": domain} if domain else described


def _resolve(account: str, name: str) -> set[str]:
    """The A records of a name in the public hosted zones, aliases left out."""
    for _ in range(_LONGEST_CHAIN):
        values = _records(account, name)
        if "CNAME" not in values:
            return values.get("A", set())
        name = f"{values['CNAME'].pop().rstrip('.').lower()}."
    return set()


def _records(account: str, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for zone in route53_backends[account]["aws"].zones.values():
        if zone.private_zone:
            continue
        for record in zone.rrsets:
            if f"{record.name.rstrip('.').lower()}." == name and record.records:
                values = {value if isinstance(value, str) else value["Value"] for value in record.records}
                found.setdefault(record.type, set()).update(values)
    return found


_original_allocate = ElasticAddressBackend.allocate_address
_original_release = ElasticAddressBackend.release_address

elastic_ip_addresses.random_ip = _free_address
elastic_network_interfaces.random_public_ip = _free_address
ElasticAddress.private_ip_address = property(_private_address)
ElasticAddressBackend.allocate_address = _allocate
ElasticAddressBackend.release_address = _release
ElasticAddressBackend.disassociate_address = _disassociate
NetworkInterface.instance_private_ip_address_list = property(_private_list)
ElasticIPAddresses.associate_address = _associate
ElasticIPAddresses.modify_address_attribute = _modify_attribute
ElasticIPAddresses.describe_addresses_attribute = _describe_attribute
ElasticIPAddresses.reset_address_attribute = _reset_attribute

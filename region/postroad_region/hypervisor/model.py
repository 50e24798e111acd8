"""Instances and volumes as plain values: what the hypervisor should make true."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from postroad_region.fabric.model import Interface


@dataclass(frozen=True, slots=True)
class Instance:
    """An EC2 instance as its host needs it.

    Args:
        state: `running`, `stopped` or `terminated`.
        image: the AMI id.
        volumes: ids of the attached EBS volumes, without the root volume.
        resolver: the VPC's resolver.
        public_key: the key pair's public key in OpenSSH form, if it has one.
    """

    id: str
    state: str
    image: str
    type: str
    zone: str
    region: str
    account: str
    interfaces: tuple[Interface, ...]
    resolver: IPv4Address
    volumes: tuple[str, ...] = ()
    key_name: str = ""
    public_key: str = ""
    user_data: bytes = b""
    role: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    launched: str = ""

    @property
    def address(self) -> IPv4Address:
        """The primary private address."""
        return self.interfaces[0].addresses[0]

    @property
    def hostname(self) -> str:
        """The private DNS name's host part (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html)."""
        return f"ip-{str(self.address).replace('.', '-')}"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was made from an instance, or is to be.

    Args:
        instance: the one that it is made from, which may be gone once it is made.
        pending: it isn't known to be made.
        reboot: the instance is shut down for it, so that its files are whole.
    """

    id: str
    instance: str
    pending: bool
    reboot: bool

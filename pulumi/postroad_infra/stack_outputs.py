"""What projects hand to each other: every output is declared here once, and both sides use the declaration.

A stack whose network (say) isn't applied yet can be previewed: an output that isn't there is unknown then, as the
outputs of a resource are before it exists. An update stops at it with the command that makes it. The referenced stack
itself must exist (`pulumi stack select --create`), empty is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.output import UNKNOWN


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkZoneOutputs:
    """The subnets of one zone, and the range of the mail VPC's public one that is kept for proxies' interfaces."""

    mail_private_subnet_id: pulumi.Input[str]
    mail_public_subnet_id: pulumi.Input[str]
    mail_public_kept_cidr: pulumi.Input[str]
    dns_public_subnet_id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkOutputs:
    """What the project `network` gives to `dns`, `mail` and the operator's commands."""

    mail_vpc_id: pulumi.Input[str]
    mail_vpc_cidr: pulumi.Input[str]
    dns_vpc_id: pulumi.Input[str]
    dns_vpc_cidr: pulumi.Input[str]
    management_subnet_id: pulumi.Input[str]
    management_cidr: pulumi.Input[str]
    s3_prefix_list_id: pulumi.Input[str]
    key_name: pulumi.Input[str]
    artifacts_bucket: pulumi.Input[str]
    zones: Mapping[str, NetworkZoneOutputs]

    @classmethod
    def of_stack(cls, zones: Sequence[str]) -> NetworkOutputs:
        """The outputs of the project `network` for this program's stack, with those of the zones asked for."""
        network = StackOutputs("network")
        return cls(
            **{name: network.text(name) for name in cls.__dataclass_fields__ if name != "zones"},
            zones={
                zone: NetworkZoneOutputs(
                    **{name: network.text("zones", zone, name) for name in NetworkZoneOutputs.__dataclass_fields__}
                )
                for zone in zones
            },
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsOutputs:
    """What the project `dns` gives to the operator's commands."""

    private_zone_id: pulumi.Input[str]
    private_zone: pulumi.Input[str]
    resolver_groups: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class MailOutputs:
    """What the project `mail` gives to the operator: the name servers go to the domain's registrar."""

    domain: pulumi.Input[str]
    submission_host: pulumi.Input[str]
    drain_queue_url: pulumi.Input[str]
    domain_zone_id: pulumi.Input[str]
    name_servers: pulumi.Input[Sequence[str]]
    sending_addresses: Mapping[str, pulumi.Input[str]]
    spool_volume_ids: Mapping[str, pulumi.Input[str]]
    mta_groups: Mapping[str, pulumi.Input[str]]
    proxy_groups: Mapping[str, pulumi.Input[str]]


def export_outputs(outputs: NetworkOutputs | DnsOutputs | MailOutputs) -> None:
    """Make the outputs those of the stack."""
    for name, value in _fields(outputs).items():
        if isinstance(value, Mapping):
            value = {
                key: _fields(inner) if isinstance(inner, NetworkZoneOutputs) else inner for key, inner in value.items()
            }
        pulumi.export(name, value)


def _fields(outputs: NetworkOutputs | NetworkZoneOutputs | DnsOutputs | MailOutputs) -> dict[str, Any]:
    """Names and values; `dataclasses.asdict` copies values, which an Output can't be."""
    return {name: getattr(outputs, name) for name in outputs.__dataclass_fields__}


class StackOutputs:
    """The outputs that another project has in the stack of the same name."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._stack = pulumi.get_stack()
        self._reference = pulumi.StackReference(
            f"{project}-outputs", stack_name=f"{pulumi.get_organization()}/{project}/{self._stack}"
        )

    def text(self, *path: str) -> pulumi.Output[str]:
        """The text at a path of the outputs: unknown in a preview if it isn't there, an error in an update."""
        return self._reference.outputs.apply(lambda outputs: self._find(outputs, path))

    def _find(self, outputs: Mapping[str, Any], path: Sequence[str]) -> str:
        value: Any = outputs
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str):
            return value
        if pulumi.runtime.is_dry_run():
            unknown: Any = UNKNOWN
            return unknown  # type: ignore[no-any-return]
        raise pulumi.RunError(
            f"{self._project} of stack {self._stack} has no output {'.'.join(path)}: "
            f"run pulumi up -s {self._stack} in pulumi/{self._project} first"
        )

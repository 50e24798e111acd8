"""Every resource type that the provider knows, by token."""

from collections.abc import Mapping

from .resource import Resource
from .services import (
    ec2_network,
    ec2_routes,
)

_MODULES = (
    ec2_network,
    ec2_routes,
)

RESOURCES: Mapping[str, Resource] = {resource.token: resource for module in _MODULES for resource in module.RESOURCES}

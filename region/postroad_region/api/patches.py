"""Where moto isn't AWS enough: each module of this list changes one noun, and says what AWS does.

Applied once, by importing this module, before the backends are used.
"""

from __future__ import annotations

from postroad_region.api import (  # noqa: F401
    certificates,
    elbv2_balancers,
    elbv2_listeners,
    elbv2_targets,
    images,
    instance_status,
    instance_types,
    launch_templates,
    load_balancer_names,
    network_acls,
    network_interfaces,
    peerings,
    private_addresses,
    public_addresses,
    queues,
    quotas,
    refused_launches,
    route_tables,
    security_rules,
    subnets,
)
from postroad_region.api.autoscaling import (  # noqa: F401
    groups,
    hook_calls,
    members,
    policies,
    refresh_calls,
)
from postroad_region.api.cloudwatch import calls  # noqa: F401
from postroad_region.api.volumes import DELETED_VOLUMES

__all__ = ["DELETED_VOLUMES"]

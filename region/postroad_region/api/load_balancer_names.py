"""Names that Elastic Load Balancing refuses and moto lets through.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend

LONGEST = 32


def check(kind: str, name: str) -> None:
    """Refuse a name that a load balancer or target group can't have.

    Raises:
        ELBClientError: `ValidationError`.
    """
    if len(name) > LONGEST:
        raise ELBClientError("ValidationError", f"{kind} name '{name}' cannot be longer than '{LONGEST}' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ELBClientError(
            "ValidationError", f"{kind} name '{name}' can only contain characters that are alphanumeric or hyphens(-)"
        )
    if name.startswith("-") or name.endswith("-"):
        raise ELBClientError("ValidationError", f"{kind} name '{name}' cannot begin or end with '-'")
    if kind == "Load balancer" and name.startswith("internal-"):
        raise ELBClientError("ValidationError", f"{kind} name '{name}' cannot begin with 'internal-'")


def _create(backend: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    check("Load balancer", name)
    return _original_create(backend, name, *args, **kwargs)


def _create_group(backend: Any, name: str, **kwargs: Any) -> Any:
    check("Target group", name)
    return _original_create_group(backend, name, **kwargs)


_original_create = ELBv2Backend.create_load_balancer
_original_create_group = ELBv2Backend.create_target_group
ELBv2Backend.create_load_balancer = _create
ELBv2Backend.create_target_group = _create_group

"""Launch templates where moto isn't EC2: the template's own tags aren't those of what it launches.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
"""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend


def _create(backend: Any, name: str, description: str, template_data: dict[str, Any], tag_spec: dict[str, Any]) -> Any:
    """Undo what moto's response adds to the data: the tag specification of the template itself."""
    data = copy.copy(template_data)
    kept = [item for item in data.get("TagSpecifications", []) if item.get("ResourceType") != "launch-template"]
    if kept:
        data["TagSpecifications"] = kept
    else:
        data.pop("TagSpecifications", None)
    return _original_create(backend, name, description, data, tag_spec)


def _tags(template: Any) -> list[dict[str, str]]:
    """The tags as they are now; moto keeps those of the creation."""
    found: list[dict[str, str]] = template.get_tags()
    return found


def _ignore(template: Any, value: Any) -> None:
    """The tags that moto assigns once are those given at creation."""


_original_create = LaunchTemplateBackend.create_launch_template
LaunchTemplateBackend.create_launch_template = _create
LaunchTemplate.tags = property(_tags, _ignore)

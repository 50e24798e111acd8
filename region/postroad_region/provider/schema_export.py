"""The provider's Pulumi schema, made from the table: enough for `pulumi import` to write code."""

from typing import Any

from .registry import RESOURCES
from .schema import Kind, Property

_PLAIN = {
    Kind.STRING: "string",
    Kind.FLAG: "string",
    Kind.DOCUMENT: "string",
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
}
_TAGS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}


def package(version: str) -> dict[str, Any]:
    """The schema of the package `aws` with the types that the table knows."""
    types: dict[str, Any] = {}
    resources = {}
    for token, resource in RESOURCES.items():
        inputs = {prop.name: _type(prop, token, types) for prop in resource.inputs}
        if resource.tagged:
            inputs["tags"] = _TAGS
        outputs: dict[str, Any] = {name: {"type": "string"} for name in resource.output_names}
        if resource.tagged:
            outputs["tagsAll"] = _TAGS
        resources[token] = {
            "properties": {**outputs, **inputs},
            "inputProperties": inputs,
            "requiredInputs": [prop.name for prop in resource.properties if prop.required],
        }
    return {
        "name": "aws",
        "version": version,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},
        "language": {"python": {"packageName": "pulumi_aws"}},
        "provider": {},
        "types": types,
        "resources": resources,
    }


def _type(prop: Property, owner: str, types: dict[str, Any]) -> dict[str, Any]:
    match prop.kind:
        case Kind.LIST | Kind.SET:
            return {"type": "array", "items": {"type": "string"}}
        case Kind.INTEGERS:
            return {"type": "array", "items": {"type": "integer"}}
        case Kind.MAP:
            return _TAGS
        case Kind.BLOCK:
            return _block(prop, owner, types)
        case Kind.BLOCKS | Kind.BLOCK_SET:
            return {"type": "array", "items": _block(prop, owner, types)}
        case _:
            return {"type": _PLAIN[prop.kind]}


def _block(prop: Property, owner: str, types: dict[str, Any]) -> dict[str, Any]:
    module, name = owner.split(":")[1].split("/")[0], owner.split(":")[2]
    title = name + prop.name[:1].upper() + prop.name[1:]
    token = f"aws:{module}/{title}:{title}"
    types[token] = {
        "type": "object",
        "properties": {field.name: _type(field, token, types) for field in prop.fields},
        "required": [field.name for field in prop.fields if field.required],
    }
    return {"$ref": f"#/types/{token}"}

"""The description of an HTTP API, made of its operations (OpenAPI 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method does to a path.

    Args:
        about: what it does, in a sentence.
        open: everybody may ask.
        text: the answer is text for people or Prometheus, not JSON.
        query: parameters behind the path, with what they mean.
        takes: the model of the body, if it is JSON.
        octets: the body is octets and not JSON.
    """

    about: str
    open: bool = False
    text: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    takes: type[msgspec.Struct] | None = None
    octets: bool = False


def describe(operations: Mapping[tuple[str, str], Operation], *, version: str) -> dict[str, Any]:
    """The OpenAPI document of some operations, by method and path."""
    models = [operation.takes for operation in operations.values() if operation.takes is not None]
    schemas, components = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(models, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in operations.items():
        paths.setdefault(path, {})[method.lower()] = _described(method, path, operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postroad MTA", "version": version, "description": "The admin port of one MTA."},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": _SCHEMES,
        },
    }


_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "The content of [admin] token_file."},
    "certificate": {
        "type": "mutualTLS",
        "description": "A client certificate of an authority in [admin] tls_client_ca.",
    },
}
"""Each alone is enough; where neither is configured, clients on loopback need none."""

_PROBLEM = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, where, and what to do."}},
}


def _described(
    method: str, path: str, operation: Operation, schema_of: Mapping[type[msgspec.Struct], dict[str, Any]]
) -> dict[str, Any]:
    media = {"text/plain": {"schema": {"type": "string"}}} if operation.text else {"application/json": {}}
    problem = {"description": "It can't be done.", "content": {"application/json": {"schema": _REFERENCE}}}
    found: dict[str, Any] = {
        "operationId": f"{method.lower()}{path.removesuffix('.json').title().replace('/', '').replace('-', '')}",
        "summary": operation.about,
        "responses": {"200": {"description": "Done.", "content": media}, "default": problem},
    }
    if not operation.open:
        found["security"] = [{name: []} for name in _SCHEMES]
    if operation.query:
        found["parameters"] = [
            {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
            for name, text in operation.query.items()
        ]
    if operation.takes is not None:
        found["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema_of[operation.takes]}},
        }
    elif operation.octets:
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


_REFERENCE = {"$ref": "#/components/schemas/Problem"}

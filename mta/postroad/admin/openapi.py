"""The description of the admin port, made of its routes (OpenAPI 3.1)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from postroad.admin.http import AdminRoute, Answer

Routes = Mapping[tuple[str, str], AdminRoute]

PATH = "/openapi.json"


def with_description(routes: Routes, *, version: str) -> dict[tuple[str, str], AdminRoute]:
    """The routes, and one that describes them all, itself included."""
    described = dict(routes)
    described["GET", PATH] = AdminRoute(
        lambda _: Answer.json(document), about="This description of the admin port (OpenAPI 3.1)."
    )
    document = describe(described, version=version)
    return described


def describe(routes: Routes, *, version: str) -> dict[str, Any]:
    """The OpenAPI document of some routes."""
    models = [route.takes for route in routes.values() if route.takes is not None]
    schemas, components = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(models, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), route in routes.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postroad MTA", "version": version, "description": "The admin port of one MTA."},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


_PROBLEM = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "What is wrong, where, and what to do."}},
}


def _operation(
    method: str, path: str, route: AdminRoute, schema_of: Mapping[type[msgspec.Struct], dict[str, Any]]
) -> dict[str, Any]:
    media = {"text/plain": {"schema": {"type": "string"}}} if route.text else {"application/json": {}}
    problem = {"description": "It can't be done.", "content": {"application/json": {"schema": _REFERENCE}}}
    found: dict[str, Any] = {
        "operationId": f"{method.lower()}{path.removesuffix('.json').title().replace('/', '').replace('-', '')}",
        "summary": route.about,
        "responses": {"200": {"description": "Done.", "content": media}, "default": problem},
    }
    if not route.open:
        found["security"] = [{"token": []}]
    if route.query:
        found["parameters"] = [
            {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
            for name, text in route.query.items()
        ]
    if route.takes is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema_of[route.takes]}}}
    elif route.max_body:
        content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
        found["requestBody"] = {"required": True, "content": content}
    return found


_REFERENCE = {"$ref": "#/components/schemas/Problem"}

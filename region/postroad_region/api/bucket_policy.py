"""Bucket policies with their conditions, as S3 evaluates them: an explicit deny wins, then an allow, else neither.

moto takes a condition that isn't met for a denial and doesn't know where a request came from.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

# Condition keys of the request being answered, such as `aws:SourceVpce`.
request_context: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("request_context")


# Not a condition key of AWS's: the request carries no signature, so only an explicit allow lets it pass.
ANONYMOUS = "postroad:anonymous"


class UnknownConditionError(ValueError):
    """A condition operator that isn't evaluated here; treated as a reason to refuse."""


def verdict(policy: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> str:
    """`deny`, `allow` or `none` for one action on one resource.

    Args:
        context: condition keys of the request; a key that is absent doesn't match `StringEquals`, and matches
            `StringNotEquals`.
    """
    result = "none"
    for statement in _list(policy.get("Statement", [])):
        if not _named(statement, "Action", action) or not _named(statement, "Resource", resource):
            continue
        try:
            met = _conditions_met(statement.get("Condition", {}), context)
        except UnknownConditionError:
            met = statement["Effect"] == "Deny"
        if met and statement["Effect"] == "Deny":
            return "deny"
        if met:
            result = "allow"
    return result


def _named(statement: Mapping[str, Any], element: str, value: str) -> bool:
    if f"Not{element}" in statement:
        return not any(fnmatchcase(value, str(pattern)) for pattern in _list(statement[f"Not{element}"]))
    return any(fnmatchcase(value, str(pattern)) for pattern in _list(statement.get(element, [])))


def _conditions_met(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    known = {key.lower(): value for key, value in context.items()}
    for operator, keys in conditions.items():
        for key, expected in keys.items():
            found = known.get(key.lower())
            values = [str(value) for value in _list(expected)]
            match operator:
                case "StringEquals":
                    met = found in values
                case "StringNotEquals":
                    met = found not in values
                case "Bool":
                    met = found is not None and found.lower() in [value.lower() for value in values]
                case _:
                    raise UnknownConditionError(operator)
            if not met:
                return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    # HEAD is read permission too (S3 API reference, HeadObject).
    action = "s3:GetObject" if action == "s3:HeadObject" else action
    context = request_context.get({})
    found = verdict(json.loads(bucket.policy), action, resource, context)
    if found == "none" and context.get(ANONYMOUS):
        return PermissionResult.DENIED
    results = {"deny": PermissionResult.DENIED, "allow": PermissionResult.PERMITTED, "none": PermissionResult.NEUTRAL}
    return results[found]


FakeBucket.get_permission = _permission

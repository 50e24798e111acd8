"""The provider's own settings (`aws:region`, `aws:endpoints`, `aws:defaultTags`, …) as the engine hands them over."""

import json
import os
from collections.abc import Mapping
from typing import Any

from .cloud import Access, Clients
from .lifecycle import Lifecycle
from .tagging import TagRules

UNUSED = frozenset(
    {
        "allowedAccountIds",
        "forbiddenAccountIds",
        "insecure",
        "maxRetries",
        "retryMode",
        "s3UsEast1RegionalEndpoint",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "tagPolicyCompliance",
        "tokenBucketRateLimiterCapacity",
        "version",
    }
)
"""Settings that are accepted and change nothing here: they concern the real provider's own start-up and limits."""

KNOWN = UNUSED | {
    "accessKey",
    "defaultTags",
    "endpoints",
    "ignoreTags",
    "profile",
    "region",
    "s3UsePathStyle",
    "secretKey",
    "token",
}


def check(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the settings: (name, reason) pairs."""
    return [
        (name, f"the stand-in aws provider has no setting {name!r}")
        for name in sorted(settings)
        if name not in KNOWN and not name.startswith("__")
    ]


def parse(args: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The settings as plain values: nested ones arrive as JSON texts, some as `aws:config:` variables."""
    settings = {name.removeprefix("aws:config:"): value for name, value in variables.items()}
    settings.update(args)
    return {name: _decoded(value) for name, value in settings.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "[", "t", "f"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def lifecycle(settings: Mapping[str, Any]) -> Lifecycle:
    """The resources under these settings; the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, …) fills gaps."""
    region = settings.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoints: dict[str, str] = {}
    for entry in settings.get("endpoints") or []:
        endpoints.update({_SERVICES.get(name, name): url for name, url in entry.items() if url})
    access = Access(
        region=region or "us-east-1",
        endpoints=endpoints,
        access_key=settings.get("accessKey"),
        secret_key=settings.get("secretKey"),
        token=settings.get("token"),
        profile=settings.get("profile"),
        s3_path_style=bool(settings.get("s3UsePathStyle")) or bool(os.environ.get("AWS_ENDPOINT_URL") or endpoints),
    )
    ignored = settings.get("ignoreTags") or {}
    rules = TagRules(
        (settings.get("defaultTags") or {}).get("tags") or {},
        frozenset(ignored.get("keys") or ()),
        tuple(ignored.get("keyPrefixes") or ()),
    )
    return Lifecycle(Clients(access), rules)


_SERVICES = {
    "cloudwatchlogs": "logs",
    "elb": "elbv2",
    "elasticloadbalancingv2": "elbv2",
    "lb": "elbv2",
    "servicequotas": "service-quotas",
}
"""Terraform's names of services where they aren't boto3's."""

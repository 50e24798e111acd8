"""Service quotas, raised as a program asks."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Resource, Task
from ..schema import State, from_aws, number, string

_QUOTA = (
    string("serviceCode", required=True, replaces=True),
    string("quotaCode", required=True, replaces=True),
    number("value", required=True),
)


def _quota(cloud: Cloud, service: str, code: str, *, default: bool = False) -> dict[str, Any]:
    operation = "get_aws_default_service_quota" if default else "get_service_quota"
    found: dict[str, Any] = cloud.call("service-quotas", operation, ServiceCode=service, QuotaCode=code)["Quota"]
    return found


def _raise(task: Task) -> None:
    """Ask for more; AWS grants no less than there is, so a lower value changes nothing."""
    service, code, wanted = str(task.get("serviceCode")), str(task.get("quotaCode")), float(task.inputs["value"])
    if wanted > float(_quota(task.cloud, service, code)["Value"]):
        task.cloud.call(
            "service-quotas",
            "request_service_quota_increase",
            # A request whose reply was lost is open, or granted: what is asked for isn't more any longer.
            repeated=("ResourceAlreadyExistsException", "IllegalArgumentException"),
            ServiceCode=service,
            QuotaCode=code,
            DesiredValue=wanted,
        )


def _create(task: Task) -> str:
    _raise(task)
    return f"{task.get('serviceCode')}/{task.get('quotaCode')}"


def _settle(task: Task, identifier: str) -> None:
    if not task.fresh:
        _raise(task)


def _read(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    service, _, code = identifier.partition("/")
    if not code:
        raise ProviderError(f"a service quota is imported as <service code>/<quota code>, not {identifier!r}")
    try:
        quota = _quota(cloud, service, code)
    except AwsError as error:
        if error.gone or error.code == "NoSuchResourceException":
            return None
        raise
    return {
        **from_aws(_QUOTA, quota),
        "adjustable": bool(quota.get("Adjustable")),
        "arn": quota.get("QuotaArn"),
        "defaultValue": _quota(cloud, service, code, default=True)["Value"],
        "quotaName": quota.get("QuotaName"),
        "serviceName": quota.get("ServiceName"),
    }


def _delete(task: Task, identifier: str) -> None:
    """Nothing: a quota stays as it was granted."""


RESOURCES = (
    Resource(
        type="aws:servicequotas/serviceQuota:ServiceQuota",
        properties=_QUOTA,
        outputs=("adjustable", "arn", "defaultValue", "quotaName", "serviceName"),
        create=_create,
        settle=_settle,
        read=_read,
        delete=_delete,
        import_id="<service code>/<quota code>",
    ),
)

"""Service quotas: what AWS gives an account by default, and what it granted since.

Simplified: an increase is granted at once, where AWS has a person look at it.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.servicequotas.models import ServiceQuotasBackend, servicequotas_backends
from moto.servicequotas.responses import ServiceQuotasResponse

# An attribute of moto's backend, so that it is saved with it: requests granted, by service and quota code.
_GRANTED = "postroad_granted"


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota that the region enforces, with AWS's default."""

    service: str
    code: str
    name: str
    default: int


ELASTIC_ADDRESSES = Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5)
RULES_PER_GROUP = Quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 60)
QUOTAS = {(quota.service, quota.code): quota for quota in (ELASTIC_ADDRESSES, RULES_PER_GROUP)}


def limit(quota: Quota, *, account: str, region: str) -> int:
    """What the account may have now."""
    granted = _granted(servicequotas_backends[account][region])
    request = granted.get((quota.service, quota.code))
    return int(request["DesiredValue"]) if request else quota.default


def _granted(backend: ServiceQuotasBackend) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = backend.__dict__.setdefault(_GRANTED, {})
    return found


def _error(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)


def _quota(parameters: dict[str, Any]) -> Quota:
    quota = QUOTAS.get((str(parameters.get("ServiceCode")), str(parameters.get("QuotaCode"))))
    if quota is None:
        raise _error(
            "NoSuchResourceException", "The request failed because the specified service quota does not exist."
        )
    return quota


def _described(self: ServiceQuotasResponse, quota: Quota, *, default: bool = False) -> dict[str, Any]:
    account, region = self.current_account, self.region
    value = quota.default if default else limit(quota, account=account, region=region)
    return {
        "ServiceCode": quota.service,
        "ServiceName": {"ec2": "Amazon Elastic Compute Cloud (Amazon EC2)"}.get(
            quota.service, "Amazon Virtual Private Cloud (Amazon VPC)"
        ),
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:{quota.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _get(self: ServiceQuotasResponse) -> str:
    return json.dumps({"Quota": _described(self, _quota(json.loads(self.body)))})


def _get_default(self: ServiceQuotasResponse) -> str:
    return json.dumps({"Quota": _described(self, _quota(json.loads(self.body)), default=True)})


def _list(self: ServiceQuotasResponse) -> str:
    service = json.loads(self.body).get("ServiceCode")
    return json.dumps({"Quotas": [_described(self, quota) for quota in QUOTAS.values() if quota.service == service]})


def _request_increase(self: ServiceQuotasResponse) -> str:
    parameters = json.loads(self.body)
    quota = _quota(parameters)
    wanted = float(parameters["DesiredValue"])
    if wanted <= limit(quota, account=self.current_account, region=self.region):
        raise _error("IllegalArgumentException", "You must provide a quota value greater than the current quota value.")
    request = {
        "Id": secrets.token_hex(16),
        "ServiceCode": quota.service,
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "DesiredValue": wanted,
        "Status": "APPROVED",
        "Created": time.time(),
        "LastUpdated": time.time(),
        "QuotaArn": _described(self, quota)["QuotaArn"],
        "GlobalQuota": False,
        "Unit": "None",
    }
    _granted(self.backend)[quota.service, quota.code] = request
    return json.dumps({"RequestedQuota": request})


def _requested(self: ServiceQuotasResponse) -> str:
    identifier = json.loads(self.body).get("RequestId")
    for request in _granted(self.backend).values():
        if request["Id"] == identifier:
            return json.dumps({"RequestedQuota": request})
    raise _error("NoSuchResourceException", "The request failed because the requested quota change does not exist.")


def _history(self: ServiceQuotasResponse) -> str:
    wanted = json.loads(self.body)
    requests = [
        request
        for request in _granted(self.backend).values()
        if all(request[key] == wanted[key] for key in ("ServiceCode", "QuotaCode", "Status") if wanted.get(key))
    ]
    return json.dumps({"RequestedQuotas": requests})


ServiceQuotasResponse.get_service_quota = _get
ServiceQuotasResponse.get_aws_default_service_quota = _get_default
ServiceQuotasResponse.list_service_quotas = _list
ServiceQuotasResponse.request_service_quota_increase = _request_increase
ServiceQuotasResponse.get_requested_service_quota_change = _requested
ServiceQuotasResponse.list_requested_service_quota_change_history = _history
ServiceQuotasResponse.list_requested_service_quota_change_history_by_quota = _history

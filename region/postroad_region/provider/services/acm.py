"""Certificates of ACM that are asked for and validated by DNS; none are imported here."""

import secrets
from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Resource, Task, unless_gone
from ..schema import State, block, from_aws, string, strings
from ..tagging import from_pairs, to_pairs

# The real provider waits 75 minutes: ACM takes its time, the box doesn't.
VALIDATION_PATIENCE = 600.0

_CERTIFICATE = (
    string("domainName", replaces=True),
    strings("subjectAlternativeNames", computed=True, replaces=True),
    string("validationMethod", aws=None, computed=True, replaces=True, imported=False),
    string("keyAlgorithm", computed=True, replaces=True, imported=False),
    block(
        "options",
        computed=True,
        imported=False,
        fields=(
            string("certificateTransparencyLoggingPreference", computed=True),
            string("export", computed=True, replaces=True),
        ),
    ),
)


def _create(task: Task) -> str:
    parameters: dict[str, Any] = {
        "DomainName": task.get("domainName"),
        "ValidationMethod": task.get("validationMethod") or "DNS",
        "IdempotencyToken": secrets.token_hex(16),
    }
    if task.get("subjectAlternativeNames"):
        parameters["SubjectAlternativeNames"] = task.get("subjectAlternativeNames")
    if task.get("keyAlgorithm"):
        parameters["KeyAlgorithm"] = task.get("keyAlgorithm")
    if task.tags:
        parameters["Tags"] = to_pairs(task.tags)
    return str(task.cloud.call("acm", "request_certificate", **parameters)["CertificateArn"])


def _settle(task: Task, identifier: str) -> None:
    """Validation options appear shortly after the request, not with it."""
    task.cloud.wait_until(
        lambda: len(_options(_certificate(task.cloud, identifier))) > 0,
        seconds=60,
        what=f"the validation records of {identifier}",
    )


def _certificate(cloud: Cloud, arn: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloud.call("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
    except AwsError as error:
        if error.gone:
            return None
        raise
    return found


def _options(certificate: Mapping[str, Any] | None) -> list[dict[str, str]]:
    options = [
        {
            "domainName": option["DomainName"],
            "resourceRecordName": option["ResourceRecord"]["Name"],
            "resourceRecordType": option["ResourceRecord"]["Type"],
            "resourceRecordValue": option["ResourceRecord"]["Value"],
        }
        for option in (certificate or {}).get("DomainValidationOptions") or []
        if option.get("ResourceRecord")
    ]
    return sorted(options, key=lambda option: option["domainName"])


def _read(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    certificate = _certificate(cloud, identifier)
    if certificate is None:
        return None
    state = from_aws(_CERTIFICATE, certificate)
    # Of these the API tells what it made of the wish, not the wish.
    for name in ("keyAlgorithm", "options"):
        state.pop(name, None)
        if known.get(name) is not None:
            state[name] = known[name]
    names = [name for name in state.get("subjectAlternativeNames", []) if name != state.get("domainName")]
    tags = cloud.call("acm", "list_tags_for_certificate", CertificateArn=identifier)["Tags"]
    return {
        **state,
        "subjectAlternativeNames": names,
        "validationMethod": known.get("validationMethod") or "DNS",
        "arn": identifier,
        "domainValidationOptions": _options(certificate),
        "status": certificate["Status"],
        "type": certificate["Type"],
        "tags": from_pairs(tags),
    }


def _write_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    if remove:
        tags = [{"Key": key} for key in remove]
        cloud.call("acm", "remove_tags_from_certificate", CertificateArn=identifier, Tags=tags)
    if add:
        cloud.call("acm", "add_tags_to_certificate", CertificateArn=identifier, Tags=to_pairs(add))


def _delete(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("acm", "delete_certificate", CertificateArn=identifier))


_VALIDATION = (
    string("certificateArn", aws=None, required=True, replaces=True),
    strings("validationRecordFqdns", aws=None, kept=True, replaces=True),
)


def _await_issue(task: Task) -> str:
    """The id is the certificate's ARN; pulumi-aws takes the time of issue, which nobody reads either."""
    arn = str(task.get("certificateArn"))

    def issued() -> bool:
        certificate = _certificate(task.cloud, arn)
        status = certificate["Status"] if certificate else "gone"
        if status not in ("ISSUED", "PENDING_VALIDATION"):
            raise ProviderError(f"certificate {arn} is {status}")
        return status == "ISSUED"

    task.cloud.wait_until(issued, seconds=VALIDATION_PATIENCE, what=f"certificate {arn} to be issued")
    return arn


def _read_validation(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    certificate = _certificate(cloud, identifier)
    if certificate is None or certificate["Status"] != "ISSUED":
        return None
    return {"certificateArn": identifier}


RESOURCES = (
    Resource(
        type="aws:acm/certificate:Certificate",
        properties=_CERTIFICATE,
        outputs=("arn", "domainValidationOptions", "status", "type"),
        create=_create,
        settle=_settle,
        read=_read,
        delete=_delete,
        write_tags=_write_tags,
        volatile=("status",),
        import_id="the ARN",
    ),
    Resource(
        type="aws:acm/certificateValidation:CertificateValidation",
        properties=_VALIDATION,
        outputs=(),
        create=_await_issue,
        read=_read_validation,
        delete=lambda task, identifier: None,
    ),
)

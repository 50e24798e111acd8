"""Certificates where moto isn't ACM: the region's own authority issues them, once the domain is shown to be held.

A certificate asked for is issued when the CNAME record that validates its domain is in a public hosted zone, as ACM's
DNS validation does. Its key is ECDSA P-256 whatever was asked for. The box doesn't renew.
https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from typing import Any

from moto.acm.models import CertBundle
from moto.route53.models import route53_backends

from postroad_region.ca import Authority, ensure_authority
from postroad_region.paths import paths

# https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
LIFETIME = datetime.timedelta(days=395)
PENDING = "PENDING_VALIDATION"
VALIDATION_DOMAIN = "acm-validations.aws."
_ACCOUNT = "postroad_account"

# The authority that issues; the region's own unless a test sets another.
authority: Callable[[], Authority] = lambda: ensure_authority(paths().state / "ca")  # noqa: E731


def validation_record(domain: str) -> tuple[str, str]:
    """Name and value of the CNAME record that shows who holds a domain; one record serves it and its wildcard."""
    plain = domain.removeprefix("*.").lower()
    owner, value = (hashlib.md5(f"{part} {plain}".encode(), usedforsecurity=False).hexdigest() for part in "nv")
    return f"_{owner}.{plain}.", f"_{value}.{VALIDATION_DOMAIN}"


def _generate(
    cls: type[CertBundle],
    domain_name: str,
    account_id: str,
    region: str,
    sans: list[str] | None = None,
    cert_authority_arn: str | None = None,
) -> CertBundle:
    names = list(dict.fromkeys([domain_name, *(sans or [])]))
    issued = authority().issue(names, lifetime=LIFETIME)
    leaf, mark, rest = issued.chain.partition(b"-----END CERTIFICATE-----\n")
    private = cert_authority_arn is not None
    bundle = cls(
        certificate=leaf + mark,
        private_key=issued.key,
        chain=rest,
        cert_type="PRIVATE" if private else "AMAZON_ISSUED",
        cert_status="ISSUED" if private else PENDING,
        cert_authority_arn=cert_authority_arn,
        account_id=account_id,
        region=region,
    )
    # moto appends Amazon's root; this chain ends with the region's own.
    bundle.chain = rest
    bundle.__dict__[_ACCOUNT] = account_id
    return bundle


def _check(bundle: Any) -> None:
    if bundle.type != "AMAZON_ISSUED" or bundle.status != PENDING:
        _original_check(bundle)
    elif all(_validated(bundle.__dict__[_ACCOUNT], name) for name in bundle.sans):
        bundle.status = "ISSUED"


def _validated(account: str, domain: str) -> bool:
    name, value = validation_record(domain)
    return any(
        record.type == "CNAME"
        and _same(record.name, name)
        and any(_same(_text(each), value) for each in record.records)
        for zone in route53_backends[account]["aws"].zones.values()
        if not zone.private_zone
        for record in zone.rrsets
    )


def _text(record: Any) -> str:
    return str(record if isinstance(record, str) else record["Value"])


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()


def _describe(bundle: Any) -> dict[str, Any]:
    bundle.check()
    described: dict[str, Any] = _original_describe(bundle)
    certificate = described["Certificate"]
    if bundle.status == PENDING:
        # Nothing has been issued so far.
        for key in ("IssuedAt", "NotBefore", "NotAfter", "Serial"):
            certificate.pop(key, None)
    for option in certificate.get("DomainValidationOptions", []):
        name, value = validation_record(option["DomainName"])
        option["ResourceRecord"] = {"Name": name, "Type": "CNAME", "Value": value}
    return described


_original_check = CertBundle.check
_original_describe = CertBundle.describe
CertBundle.generate_cert = classmethod(_generate)
CertBundle.check = _check
CertBundle.describe = _describe

"""Security group rules that EC2 refuses and moto lets through.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError, RulesPerSecurityGroupLimitExceededError
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

from postroad_region.api import quotas

_NAMED = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "-1": -1, "all": -1}
_LAST_PORT = 65535
_LAST_PROTOCOL = 255


def check(protocol: str | None, from_port: int | str | None, to_port: int | str | None) -> None:
    """Refuse what isn't a rule.

    Raises:
        EC2ClientError: `InvalidParameterValue` or `MissingParameter`, as EC2 words it.
    """
    if not protocol:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ipProtocol")
    number = _protocol(str(protocol))
    if number not in (6, 17):
        return
    name = {6: "TCP", 17: "UDP"}[number]
    if from_port is None or to_port is None:
        raise EC2ClientError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )
    first, last = int(from_port), int(to_port)
    if not 0 <= first <= last <= _LAST_PORT:
        raise EC2ClientError("InvalidParameterValue", f"Invalid {name} port range ({first},{last})")


def _protocol(text: str) -> int:
    known = _NAMED.get(text.lower())
    if known is not None:
        return known
    if text.isdigit() and int(text) <= _LAST_PROTOCOL:
        return int(text)
    raise EC2ClientError("InvalidParameterValue", f"Invalid value '{text}' for IP protocol. Unknown protocol.")


def _rule(
    rule: Any,
    ec2_backend: Any,
    ip_protocol: Any,
    group_id: Any,
    from_port: Any,
    to_port: Any,
    *args: Any,
    **kwargs: Any,
) -> None:
    check(ip_protocol, from_port, to_port)
    if ip_protocol not in ("-1", "all") and from_port is None:
        # ICMP and numbered protocols without a type are all types (-1).
        from_port, to_port = -1, -1
    _original_init(rule, ec2_backend, ip_protocol, group_id, from_port, to_port, *args, **kwargs)


def _within_quota(
    backend: Any, group: Any, current_rule_nb: int, ip_ranges: Any, source_groups: Any = None, egress: bool = False
) -> None:
    allowed = quotas.limit(quotas.RULES_PER_GROUP, account=backend.account_id, region=backend.region_name)
    if current_rule_nb + len(ip_ranges or []) + len(source_groups or []) > allowed:
        raise RulesPerSecurityGroupLimitExceededError


_original_init = SecurityGroupRule.__init__
SecurityGroupRule.__init__ = _rule
SecurityGroupBackend._verify_group_will_respect_rule_count_limit = _within_quota

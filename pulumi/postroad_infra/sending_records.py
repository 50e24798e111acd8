"""The texts of a sending domain's records."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

LONGEST_STRING = 255
"""Octets of one character-string of a TXT record (RFC 1035 3.3)."""


def txt(value: str) -> str:
    """A TXT record's value for the aws provider, which puts the outermost quotes itself: cut into character-strings.

    Readers join them without a space (RFC 7208 3.3, RFC 6376 3.6.2.2).
    """
    return '""'.join(value[start : start + LONGEST_STRING] for start in range(0, len(value), LONGEST_STRING))


def spf(addresses: Iterable[str]) -> str:
    """SPF of a domain that sends from these addresses and no others (RFC 7208): no lookup is needed to check it."""
    ordered = sorted(addresses, key=IPv4Address)
    return " ".join(["v=spf1", *(f"ip4:{address}" for address in ordered), "-all"])


def dkim(public_key: str, algorithm: str) -> str:
    """The key record of a selector (RFC 6376 3.6.1, RFC 8463)."""
    return f"v=DKIM1; k={algorithm}; p={public_key}"


def dmarc(policy: str, reports_to: str) -> str:
    """The domain's policy (RFC 7489 6.3); subdomains inherit it."""
    return f"v=DMARC1; p={policy}; rua=mailto:{reports_to}"

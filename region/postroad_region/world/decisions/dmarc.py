"""DMARC as a receiver judges it (RFC 7489).

Simplified: the organisational domain is the last two labels, since the box's internet has one public suffix, `test`;
`pct` is not applied, and nothing is reported (`rua`, `ruf`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import getaddresses

_ALIGNED = {"r", "s"}
_POLICIES = {"none", "quarantine", "reject"}
_FROM = re.compile(rb"^from:((?:[^\r\n]|\r\n[ \t])*)(?:\r\n|\Z)", re.IGNORECASE | re.MULTILINE)
_DOMAIN = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+\Z")


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's record.

    Args:
        own: what to do with failing mail of the domain itself.
        subdomains: with that of the domains below it.
        dkim: alignment, `r` or `s`.
        spf: the same.
    """

    own: str
    subdomains: str
    dkim: str = "r"
    spf: str = "r"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Outcome (`pass`, `fail`, `none`, `temperror`, `unchecked`) and what the policy asks for a failure."""

    result: str
    disposition: str = "none"


def organisation(domain: str) -> str:
    """The organisational domain."""
    return ".".join(domain.lower().rstrip(".").split(".")[-2:])


def from_domain(head: bytes) -> str | None:
    """The one domain of the From header; None: there is none, or several headers or domains (RFC 7489 6.6.1).

    `head` ends with the CRLF of its last line.
    """
    fields = _FROM.findall(head)
    if len(fields) != 1:
        return None
    value = fields[0].replace(b"\r\n", b"").decode("utf-8", "replace")
    addresses = [address for _, address in getaddresses([value]) if "@" in address]
    domains = {address.rpartition("@")[2].lower().rstrip(".") for address in addresses}
    domain = next(iter(domains), "")
    return domain if len(domains) == 1 and _DOMAIN.match(domain) else None


def parse(records: Sequence[bytes]) -> Policy | None:
    """The policy of `_dmarc` TXT records; None: there is none that counts (RFC 7489 6.6.3)."""
    texts = [record.decode("ascii", "replace") for record in records]
    texts = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(;|\Z)", text)]
    if len(texts) != 1:
        return None
    tags: dict[str, str] = {}
    for part in texts[0].split(";"):
        name, separator, value = part.partition("=")
        if separator:
            tags.setdefault(name.strip().lower(), value.strip().lower())
    own = tags.get("p", "")
    if own not in _POLICIES:
        # Without a policy that can be read, one with reports counts as none (6.6.3).
        return Policy("none", "none") if "rua" in tags else None
    below = tags.get("sp", own)
    aligned = {name: tags[name] if tags.get(name, "") in _ALIGNED else "r" for name in ("adkim", "aspf")}
    return Policy(own, below if below in _POLICIES else own, aligned["adkim"], aligned["aspf"])


def aligned(authenticated: str, author: str, mode: str) -> bool:
    """Whether an authenticated domain speaks for the From domain."""
    authenticated, author = authenticated.lower().rstrip("."), author.lower().rstrip(".")
    if mode == "s":
        return authenticated == author
    return organisation(authenticated) == organisation(author)


def judge(
    author: str | None,
    policy: Policy | None,
    *,
    policy_domain: str = "",
    spf: str,
    spf_domain: str,
    dkim: str,
    dkim_domains: Sequence[str],
) -> Judgement:
    """The outcome for a message.

    Args:
        author: the From domain.
        policy_domain: where `policy` was found: `author` or its organisational domain.
        spf: outcome for `spf_domain`, the domain of MAIL FROM (of EHLO for `<>`).
        dkim: `pass`, `fail`, `none`, `unchecked` or `temperror`.
        dkim_domains: `d=` of the signatures that hold.
    """
    if author is None or policy is None:
        return Judgement("none")
    if spf == "pass" and aligned(spf_domain, author, policy.spf):
        return Judgement("pass")
    if any(aligned(domain, author, policy.dkim) for domain in dkim_domains):
        return Judgement("pass")
    if dkim == "unchecked":
        return Judgement("unchecked")
    if "temperror" in (spf, dkim):
        return Judgement("temperror")
    return Judgement("fail", policy.own if author == policy_domain else policy.subdomains)

"""A mailbox provider, and what follows from it for the DNS."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from postroad_region.dns.desired import ProviderZone
from postroad_region.world.definition.limits import GreylistPolicy, Limits, ReputationPolicy
from postroad_region.world.definition.mailboxes import BounceShape, MailboxRule
from postroad_region.world.definition.replies import REPLIES
from postroad_region.world.definition.transport import Extensions, MtaSts, MxHost, Timing, Tls
from postroad_region.world.definition.values import Address, Host, Part, Reply, Slug

# The digest of a host's public key, `3 1 1` (RFC 6698): hexadecimal SHA-256.
KeyDigest = Callable[[str], str]
_TTL = 300


class Checks(Part):
    """What is looked at before a message is accepted, and whether the outcome decides."""

    spf: bool = True
    spf_fail: Literal["record", "reject"] = Field("record", description="What an SPF fail alone leads to.")
    dkim_per_second: int = Field(20, ge=0, description="A check takes some ms; signatures beyond are 'unchecked'.")
    dmarc: Literal["off", "record", "enforce"] = Field(
        "off", description="enforce: a failure is rejected or filed as spam, as the From domain's policy says."
    )
    authentication: Literal["optional", "required"] = Field(
        "optional", description="required: a message that passes neither SPF nor DKIM is rejected."
    )
    reverse_name: Literal["off", "record", "require"] = Field(
        "off", description="Whether the source's PTR leads back to it (FCrDNS)."
    )


class Provider(Part):
    """A mailbox provider."""

    name: Slug
    domain: Host
    hosted_domains: tuple[Host, ...] = Field((), description="Other domains with the same MX hosts and mailboxes.")
    name_server: Address
    dnssec: Literal["signed", "unsigned", "bogus"] = "signed"
    mx: tuple[MxHost, ...] = Field(min_length=1)
    banner: str = Field("ESMTP", pattern=r"^[ -~]{1,80}$", description="What follows the host's name in the greeting.")
    tls: Tls = Field("valid", description="The STARTTLS certificate, of the box's CA; broken: no handshake succeeds.")
    require_tls: bool = Field(False, description="MAIL FROM without TLS is refused (tls-required).")
    mta_sts: MtaSts | None = None
    dane: Literal["right", "wrong", "none"] = Field("none", description="TLSA 3 1 1 of every MX host (RFC 7672).")
    max_size: int = Field(26_214_400, ge=1024, le=104_857_600, description="Octets of a message (SIZE, RFC 1870).")
    extensions: Extensions = Extensions()
    timing: Timing = Timing()
    replies: Mapping[str, Reply] = Field({}, description="Replies by reason; see replies.py for reasons and defaults.")
    recipients: tuple[MailboxRule, ...] = ()
    limits: Limits = Limits()
    reputation: ReputationPolicy | None = Field(None, description="None: every source is as good as any.")
    greylist: GreylistPolicy | None = None
    checks: Checks = Checks()
    bounces: BounceShape = Field("rfc3464", description="How its bounces after acceptance look.")
    feedback: bool = Field(True, description="Whether complaints are reported to registered feedback addresses.")
    records: tuple[str, ...] = Field((), description='More lines of the zone, e.g. `@ 300 IN TXT "v=spf1 -all"`.')

    @field_validator("replies")
    @classmethod
    def _have_known_reasons(cls, replies: Mapping[str, Reply]) -> Mapping[str, Reply]:
        for reason in replies:
            if reason not in REPLIES:
                raise ValueError(f"{reason!r} is none of {', '.join(sorted(REPLIES))}")
        return replies

    @model_validator(mode="after")
    def _hosts_are_the_provider_s(self) -> "Provider":
        for host in self.mx:
            if not host.host.endswith(f".{self.domain}"):
                raise ValueError(f"MX host {host.host} is not below {self.domain}, whose zone gives its address")
            if self.dane_of(host) != "none" and (self.dnssec != "signed" or self.tls_of(host) == "none"):
                raise ValueError(f"dane of {host.host} needs dnssec: signed and TLS (RFC 7672 2.2)")
        for rule in self.recipients:
            if rule.verdict is not None and rule.reply is None and rule.verdict not in REPLIES:
                raise ValueError(f"the rule for {rule.match} has a verdict of its own, so it needs a reply")
        if self.checks.dmarc != "off" and not self.checks.spf:
            raise ValueError("checks.dmarc needs checks.spf")
        return self

    def tls_of(self, host: MxHost) -> Tls:
        """The TLS of one of its hosts."""
        return host.tls or self.tls

    def dane_of(self, host: MxHost) -> Literal["right", "wrong", "none"]:
        """What the TLSA record of one of its hosts is."""
        return host.dane or self.dane

    def reply(self, reason: str) -> str:
        """What it answers for a reason, placeholders not filled in."""
        return self.replies.get(reason) or REPLIES[reason]

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains that it takes mail for."""
        return (self.domain, *self.hosted_domains)

    def policy(self) -> str:
        """The MTA-STS policy's text (RFC 8461 3.2)."""
        assert self.mta_sts is not None
        hosts = self.mta_sts.mx or tuple(mx.host for mx in self.mx)
        lines = ["version: STSv1", f"mode: {self.mta_sts.mode}"]
        lines += [f"mx: {host}" for host in hosts]
        return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {int(self.mta_sts.max_age)}"])

    def zones(self, *, key_digest: KeyDigest | None, policy_address: str | None) -> list[ProviderZone]:
        """The provider's zone and those of its hosted domains; without `key_digest` there are no TLSA records."""
        own = self._mail_records()
        own += [f"{mx.host}. {_TTL} IN A {mx.address}" for mx in self.mx]
        own += self._sts_records(policy_address)
        if key_digest is not None:
            own += self._tlsa_records(key_digest)
        hosted = (*self._mail_records(), *self._sts_records(policy_address))
        return [
            ProviderZone(self.domain, self.name_server, (*own, *self.records), self.dnssec),
            *(ProviderZone(domain, self.name_server, hosted, self.dnssec) for domain in self.hosted_domains),
        ]

    def _mail_records(self) -> list[str]:
        return [f"@ {_TTL} IN MX {mx.preference} {mx.host}." for mx in self.mx]

    def _sts_records(self, address: str | None) -> list[str]:
        if self.mta_sts is None or address is None:
            return []
        # The id only has to change with the policy (RFC 8461 3.1).
        version = hashlib.sha256(self.policy().encode()).hexdigest()[:20]
        return [f'_mta-sts {_TTL} IN TXT "v=STSv1; id={version};"', f"mta-sts {_TTL} IN A {address}"]

    def _tlsa_records(self, key_digest: KeyDigest) -> list[str]:
        records = []
        for mx in self.mx:
            if (kind := self.dane_of(mx)) == "none":
                continue
            digest = key_digest(mx.host)
            if kind == "wrong":
                digest = hashlib.sha256(f"not {digest}".encode()).hexdigest()
            records.append(f"_25._tcp.{mx.host}. {_TTL} IN TLSA 3 1 1 {digest}")
        return records

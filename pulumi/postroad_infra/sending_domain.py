"""The public zone of the domain that mail comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra import sending_records
from postroad_infra.settings.mail import SendingDomain as DomainSettings
from postroad_infra.settings.project import Protection
from postroad_infra.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class SendingDomainArgs:
    """The domain, and the sending addresses by the host part of their EHLO names."""

    domain: DomainSettings
    addresses: Mapping[str, aws.ec2.Eip]
    protection: Protection
    tags: Tags


class SendingDomain(pulumi.ComponentResource):
    """A public zone with what providers look up when mail comes from the domain.

    Each sending address has an EHLO name that leads to it, with an SPF record of its own: bounces have no sender, so
    SPF judges the EHLO name (RFC 7208 2.4), and its PTR record leads back to that name, which AWS grants only once the
    name leads to the address. The MX records name the EHLO hosts of all zones, alike; no listener takes mail on port 25
    there yet.
    """

    def __init__(self, name: str, args: SendingDomainArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:SendingDomain", name, None, opts)
        self._name = name
        self._ttl_s = args.domain.ttl_s
        domain = args.domain.name
        zone = aws.route53.Zone(
            name,
            name=domain,
            comment="Where mail comes from",
            force_destroy=not args.protection.protect,
            tags=args.tags.of(tier="mta", name=domain),
            opts=args.protection.options(self),
        )
        self.zone_id: pulumi.Output[str] = zone.zone_id
        self.name_servers: pulumi.Output[Sequence[str]] = zone.name_servers
        dkim, dmarc = args.domain.dkim, args.domain.dmarc
        spf = pulumi.Output.all(*(eip.public_ip for eip in args.addresses.values())).apply(sending_records.spf)
        self._record("mx", domain, "MX", [f"10 {host}.{domain}" for host in args.addresses])
        self._text("spf", domain, spf)
        self._text("dkim", f"{dkim.selector}._domainkey.{domain}", sending_records.dkim(dkim.text(), dkim.algorithm()))
        self._text("dmarc", f"_dmarc.{domain}", sending_records.dmarc(dmarc.policy, dmarc.reports_to))
        for host, eip in args.addresses.items():
            forward = self._record(host, f"{host}.{domain}", "A", [eip.public_ip])
            self._text(f"{host}-spf", f"{host}.{domain}", "v=spf1 a -all")
            aws.ec2.EipDomainName(
                host,
                allocation_id=eip.allocation_id,
                domain_name=f"{host}.{domain}",
                opts=pulumi.ResourceOptions(parent=self, depends_on=[forward]),
            )
        self.register_outputs({"zone_id": self.zone_id, "name_servers": self.name_servers})

    def _text(self, name: str, owner: str, value: pulumi.Input[str]) -> None:
        self._record(name, owner, "TXT", [pulumi.Output.from_input(value).apply(sending_records.txt)])

    def _record(self, name: str, owner: str, kind: str, values: Sequence[pulumi.Input[str]]) -> aws.route53.Record:
        return aws.route53.Record(
            f"{self._name}-{name}",
            zone_id=self.zone_id,
            name=owner,
            type=kind,
            ttl=self._ttl_s,
            records=list(values),
            opts=pulumi.ResourceOptions(parent=self),
        )

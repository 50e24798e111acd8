"""What the front door listens on, and the name that clients know it by."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from postroad_infra.front_door import FRONT_DOOR, RETURNS, FrontDoor
from postroad_infra.mail_tiers import SUBMISSION, SUBMISSIONS
from postroad_infra.settings.front_door import FrontDoorSettings
from postroad_infra.tags import Tags

# TLS 1.2 and 1.3.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/describe-ssl-policies.html
TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoorListenersArgs:
    """The front door, and the public zone that its name is in."""

    front_door: FrontDoor
    settings: FrontDoorSettings
    domain: str
    zone_id: pulumi.Input[str]
    tags: Tags


class FrontDoorListeners(pulumi.ComponentResource):
    """TLS from the first octet on the submission ports, with a certificate that the zone itself validates.

    Where the balancer ends TLS, STARTTLS can't be had: a client that speaks first in the clear waits for a greeting
    inside TLS. ACM issues once the zone is delegated at the registrar. What is passed on is the MTAs' own TLS, where
    clients may authenticate (docs/adr/0025).
    """

    def __init__(self, name: str, args: FrontDoorListenersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("postroad:mail:FrontDoorListeners", name, None, opts)
        mine = pulumi.ResourceOptions(parent=self)
        settings, tags, balancer = args.settings, args.tags, args.front_door.balancer
        self.host = f"{settings.host}.{args.domain}"
        ended_here = [port for port in settings.submission_ports if port not in settings.mta_tls_ports]
        certificate = self._certificate(name, args) if ended_here else None
        for port in settings.submission_ports:
            here = port in ended_here
            group = args.front_door.target_groups[SUBMISSION if here else SUBMISSIONS]
            aws.lb.Listener(
                f"{name}-{port}",
                load_balancer_arn=balancer.arn,
                port=port,
                protocol="TLS" if here else "TCP",
                ssl_policy=TLS_POLICY if here else None,
                certificate_arn=certificate if here else None,
                default_actions=[{"type": "forward", "target_group_arn": group.arn}],
                tcp_idle_timeout_seconds=settings.idle_timeout_s,
                tags=tags.of(tier=FRONT_DOOR, name=f"{settings.name}-{port}"),
                opts=mine,
            )
        if settings.returns_port:
            aws.lb.Listener(
                f"{name}-{RETURNS}",
                load_balancer_arn=balancer.arn,
                port=RETURNS,
                protocol="TCP",
                default_actions=[
                    {"type": "forward", "target_group_arn": args.front_door.target_groups[settings.returns_port].arn}
                ],
                tcp_idle_timeout_seconds=settings.idle_timeout_s,
                tags=tags.of(tier=FRONT_DOOR, name=f"{settings.name}-{RETURNS}"),
                opts=mine,
            )
        aws.route53.Record(
            f"{name}-name",
            zone_id=args.zone_id,
            name=self.host,
            type="A",
            aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": True}],
            opts=mine,
        )
        self.register_outputs({"host": self.host})

    def _certificate(self, name: str, args: FrontDoorListenersArgs) -> pulumi.Output[str]:
        """The ARN of a certificate for the host's name, known once it is issued."""
        mine = pulumi.ResourceOptions(parent=self)
        certificate = aws.acm.Certificate(
            name,
            domain_name=self.host,
            validation_method="DNS",
            tags=args.tags.of(tier=FRONT_DOOR, name=self.host),
            opts=mine,
        )
        option = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            f"{name}-validation",
            zone_id=args.zone_id,
            name=option.resource_record_name,
            type=option.resource_record_type,
            records=[option.resource_record_value],
            ttl=60,
            # A replaced certificate of the same name has the same record.
            allow_overwrite=True,
            opts=mine,
        )
        validation = aws.acm.CertificateValidation(
            name, certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=mine
        )
        issued: pulumi.Output[str] = validation.certificate_arn
        return issued

"""The front door: the load balancer that takes mail from clients to the MTAs."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from postroad_infra.settings.base import Settings

# Target groups have the port behind it, and ELB's names end at 32 characters.
LONGEST_NAME = 32 - len("-65535")
# What MTAs listen on for operators, and proxies: no listener may lead there.
_RESERVED = frozenset({22, 25, 1080, 1081, 8025})

Port = Annotated[int, Field(ge=1, le=65535)]


def _submission_ports(ports: list[int]) -> list[int]:
    if len(set(ports)) < len(ports):
        raise ValueError("a port is there more than once")
    reserved = sorted(_RESERVED.intersection(ports))
    if reserved:
        raise ValueError(f"port {reserved[0]} serves something else")
    return ports


class HealthCheck(Settings):
    """How the balancer asks MTAs whether they are ready (HTTP, port 8025, /ready)."""

    interval_s: int = Field(default=10, ge=5, le=300, description="seconds between probes, 5 to 300", examples=["10"])
    timeout_s: int = Field(default=5, ge=2, le=120, description="seconds for an answer, 2 to 120", examples=["5"])
    healthy_threshold: int = Field(
        default=2, ge=2, le=10, description="probes in a row that make an MTA healthy again, 2 to 10", examples=["2"]
    )
    unhealthy_threshold: int = Field(
        default=2, ge=2, le=10, description="failed probes in a row that take an MTA out, 2 to 10", examples=["2"]
    )

    @model_validator(mode="after")
    def _answers_before_the_next(self) -> Self:
        if self.timeout_s > self.interval_s:
            raise ValueError(f"timeout_s {self.timeout_s} is longer than interval_s {self.interval_s}")
        return self


class FrontDoorSettings(Settings):
    """A network load balancer for submission over TLS, which it ends or leaves to the MTAs."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$",
        max_length=LONGEST_NAME,
        description=f"its name in the account: letters, digits, single hyphens; {LONGEST_NAME} characters at most",
        examples=["postroad-uat-smtp"],
    )
    host: str = Field(
        default="smtp",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="the label of its name in the sending domain",
        examples=["smtp"],
    )
    internal: bool = Field(
        default=False,
        description="whether its name leads to private addresses: clients of the VPC and its peers only",
        examples=["true"],
    )
    submission_ports: Annotated[list[Port], AfterValidator(_submission_ports)] = Field(
        default=[587, 465],
        min_length=1,
        max_length=5,
        description="ports with TLS from the first octet (RFC 8314); no STARTTLS",
        examples=["[587, 465]"],
    )
    mta_tls_ports: list[Port] = Field(
        default=[],
        description="those of submission_ports whose TLS ends at the MTAs (their 465), which alone may take passwords; "
        "MTAs need a certificate for it",
        examples=["[465]"],
    )
    returns_port: Port | None = Field(
        default=None,
        description="the MTAs' port for returning mail, which 25 leads to; none: 25 is closed",
        examples=["2525"],
    )
    cross_zone: bool = Field(
        default=False, description="whether a zone's node also sends to other zones' MTAs", examples=["false"]
    )
    deregistration_delay_s: int = Field(
        default=300,
        ge=0,
        le=3600,
        description="seconds that an MTA which leaves counts as draining, 0 to 3600",
        examples=["300"],
    )
    idle_timeout_s: int = Field(
        default=350,
        ge=60,
        le=6000,
        description="seconds of silence after which a connection ends, 60 to 6000; SMTP clients may be silent for 300",
        examples=["350"],
    )
    health_check: HealthCheck = Field(
        default=HealthCheck(), description="interval_s, timeout_s, healthy_threshold, unhealthy_threshold"
    )

    @model_validator(mode="after")
    def _name_is_free(self) -> Self:
        if self.name.startswith("internal-"):
            raise ValueError("name: ELB keeps names that begin with internal- for itself")
        return self

    @model_validator(mode="after")
    def _passed_ports_are_listened_on(self) -> Self:
        strange = sorted(set(self.mta_tls_ports).difference(self.submission_ports))
        if strange:
            raise ValueError(f"mta_tls_ports: {strange[0]} isn't one of submission_ports")
        return self

    @model_validator(mode="after")
    def _returns_come_from_outside(self) -> Self:
        if self.returns_port is not None and self.internal:
            raise ValueError(
                "returns_port: returning mail comes from the internet, which an internal balancer isn't part of"
            )
        if self.returns_port in _RESERVED - {25} or self.returns_port in (465, 587):
            raise ValueError(f"returns_port {self.returns_port} serves something else")
        return self

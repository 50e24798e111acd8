"""How a provider is reached: hosts, TLS, extensions, how fast it answers, and what it publishes about TLS."""

from typing import Literal

from pydantic import Field

from postroad_region.world.definition.values import Address, Host, Part, RealSpan, WorldSpan

Tls = Literal["valid", "expired", "self-signed", "wrong-name", "broken", "none"]


class MxHost(Part):
    """A host that takes a provider's mail."""

    host: Host
    address: Address
    preference: int = Field(10, ge=0, le=65535, description="As in the MX record: lower is tried first.")
    tls: Tls | None = Field(None, description="None: as the provider.")
    dane: Literal["right", "wrong", "none"] | None = Field(None, description="None: as the provider.")


class Extensions(Part):
    """What EHLO offers beside SIZE, 8BITMIME, ENHANCEDSTATUSCODES and STARTTLS."""

    pipelining: bool = True
    chunking: bool = False
    smtputf8: bool = True


class Timing(Part):
    """Delays in real seconds, since a client's timeouts are real too."""

    banner: RealSpan = Field(0.0, description="Before the greeting.")
    reply: RealSpan = Field(0.0, description="Before every other reply.")
    dot: RealSpan = Field(0.0, description="Before the reply to a message.")
    tarpit: RealSpan = Field(0.0, description="Before each reply once a connection had `tarpit_after` refusals.")
    tarpit_after: int = Field(3, ge=1)
    idle: RealSpan = Field(300.0, gt=0, description="An idle client is sent away (RFC 5321 4.5.3.2.7).")


class MtaSts(Part):
    """The provider's policy (RFC 8461), served at `https://mta-sts.<domain>/.well-known/mta-sts.txt`."""

    mode: Literal["enforce", "testing", "none"] = "enforce"
    mx: tuple[str, ...] = Field((), description="Names or `*.` patterns; none: the MX hosts of the provider.")
    max_age: WorldSpan = Field(604_800.0, le=31_557_600, description="Seconds, as the policy says them.")
    certificate: Literal["valid", "expired", "self-signed", "wrong-name"] = "valid"
    serve: Literal["policy", "not-found", "malformed", "redirect"] = "policy"

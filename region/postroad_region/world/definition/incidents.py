"""Things that go wrong for a while, by the script or at an operator's word."""

from ipaddress import IPv4Network
from typing import Literal

from pydantic import Field, field_validator, model_validator

from postroad_region.world.definition.values import Host, Part, RealSpan, Reply, Share, Slug, WorldSpan

Kind = Literal["outage", "unknown-recipients", "blocklist", "throttle", "defer", "slow", "tls-failure", "dns-failure"]


class Incident(Part):
    """One thing that goes wrong.

    * `outage`: the provider's hosts (or the one of `host`) don't take connections, in the way of `how`;
    * `unknown-recipients`: a `share` of all recipients is answered 550 5.1.1, as Gmail did in December 2020;
    * `blocklist`: the `sources` are refused for good at MAIL FROM, as after a listing;
    * `throttle`: a source may send `count` messages a (world) hour;
    * `defer`: a `share` of MAIL FROM gets `reply`, a 4xx;
    * `slow`: every reply to a message takes `delay` real seconds more;
    * `tls-failure`: STARTTLS is offered and the handshake fails;
    * `dns-failure`: the provider's zones aren't answered: SERVFAIL at every resolver once its cache has expired.
    """

    kind: Kind
    provider: Slug | None = Field(None, description="None: all of them.")
    duration: WorldSpan = Field(gt=0, description="By the world's clock.")
    host: Host | None = Field(None, description="For outage: this MX host alone.")
    how: Literal["refuse", "hang", "421"] = Field("refuse", description="For outage: what a client sees.")
    sources: tuple[str, ...] = Field((), description="Addresses or networks that it concerns; none: all.")
    share: Share = 1.0
    count: int = Field(10, ge=0)
    delay: RealSpan = 5.0
    reply: Reply | None = Field(None, description="Instead of the provider's own; its class must fit the kind.")

    @field_validator("sources")
    @classmethod
    def _are_networks(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        for source in sources:
            try:
                IPv4Network(source)
            except ValueError:
                raise ValueError(f"{source!r} is no IPv4 address or network") from None
        return sources

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Incident":
        if self.host is not None and self.kind != "outage":
            raise ValueError(f"host is for an outage, not for {self.kind}")
        if self.kind == "blocklist" and not self.sources:
            raise ValueError("a blocklist incident needs sources")
        permanent = {"unknown-recipients": True, "blocklist": True, "throttle": False, "defer": False}
        if self.reply is not None and self.kind not in permanent:
            raise ValueError(f"{self.kind} has no reply")
        if self.reply is not None and (self.reply[0] == "5") != permanent[self.kind]:
            raise ValueError(f"the reply of {self.kind} has to begin with {5 if permanent[self.kind] else 4}")
        return self

    def concerns(self, source: str) -> bool:
        """Whether a source address is meant."""
        return not self.sources or any(IPv4Network(source).subnet_of(IPv4Network(each)) for each in self.sources)


class ScriptedIncident(Incident):
    """An incident that begins by itself."""

    at: WorldSpan = Field(description="World time since the world's start or its last reset.")

"""The bodies of requests to the admin port."""

from typing import Annotated, Literal

import msgspec

from postroad.spool.orders import Scope

_LONGEST = 400 * 86400.0

Name = Annotated[str, msgspec.Meta(max_length=255)]


class ScopeFields(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which mail is meant: that which has all that is given."""

    tenant: Name | None = None
    campaign: Name | None = None
    domain: Name | None = None
    site: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    source: Name | None = None

    def scope(self) -> Scope:
        """The scope that is named."""
        domain = self.domain.lower() if self.domain is not None else None
        return Scope(self.tenant, self.campaign, domain, self.site, self.source)


class OrderRequest(ScopeFields, kw_only=True, forbid_unknown_fields=True):
    """An order on queued mail, and on mail that comes until it ends."""

    action: Literal["suspend", "bounce", "discard"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=_LONGEST)]
    """How long it stands."""
    number: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)] = 0
    """Its number where several processes shall know it by the same one; 0: a new one."""


class LiftRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The end of an order."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,16}$")]


class RebindRequest(ScopeFields, kw_only=True, forbid_unknown_fields=True):
    """Another tenant or campaign for queued mail; with neither it is only routed anew."""

    to_tenant: Name | None = None
    to_campaign: Name | None = None


class DrainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where the messages go; to nobody: they are only delivered."""

    targets: list[str]


class TakeBackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A target that is gone."""

    target: str

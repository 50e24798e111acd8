"""What bounds a source address: rates, reputation, greylisting. The decisions themselves are in `decisions/`."""

from pydantic import Field

from postroad_region.world.definition.values import Part, Reply, Share, WorldSpan


class Limit(Part):
    """A bound for each source address, and the reply beyond it; a 421 closes the connection."""

    count: int = Field(ge=1)
    reply: Reply | None = Field(None, description="None: the provider's reply of that reason.")


class Limits(Part):
    """What one source address may do; hours and minutes are the world's."""

    messages_per_hour: Limit | None = Field(None, description="Recipients accepted in a sliding hour; at MAIL FROM.")
    messages_per_minute: Limit | None = Field(None, description="The same for a sliding minute.")
    connections: Limit | None = Field(None, description="Connections at a time; asked at EHLO.")
    connections_per_minute: Limit | None = Field(None, description="New connections in a sliding minute; at EHLO.")
    messages_per_connection: Limit | None = Field(None, description="At MAIL FROM; its reply is best a 421.")
    recipients_per_message: Limit | None = Field(None, description="At RCPT TO; RFC 5321 4.5.3.1.8 asks for 100.")


class ReputationPolicy(Part):
    """How a source address' standing grows and falls; see `decisions.reputation` for what each number does."""

    start: Share = Field(0.3, description="Score of an address never seen.")
    cold_volume: int = Field(500, ge=1, description="Messages a day that are taken from an address without history.")
    growth: float = Field(2.0, gt=1, le=100, description="Today may bring so many times the usual volume.")
    block_factor: float = Field(3.0, gt=1, description="Refused tries a day, in allowances, after which it is blocked.")
    block_for: WorldSpan = Field(86_400.0, description="How long such a block lasts.")
    throttle_below: Share = Field(0.2, description="Scores below get a share of cold_volume only.")
    block_below: Share = Field(0.05, description="Scores below get nothing.")
    recovery: Share = Field(0.08, description="A clean day's share of the way to score 1.")
    clean_volume: int = Field(50, ge=1, description="A day with fewer messages proves nothing.")
    fade: Share = Field(0.9, description="What is left of the usual volume after a day without mail.")
    complaint_tolerance: Share = Field(0.001, description="Complaints by messages that do no harm.")
    complaint_weight: float = Field(100.0, ge=0, description="Damage for each unit of rate above the tolerance.")
    unknown_tolerance: Share = Field(0.02, description="Unknown recipients by recipients that do no harm.")
    unknown_weight: float = Field(4.0, ge=0)
    trap_damage: Share = Field(0.15, description="Damage of each message to a spam trap.")


class GreylistPolicy(Part):
    """What is asked of a source, sender and recipient never seen together."""

    delay: WorldSpan = Field(300.0, description="A try within this time after the first is deferred too.")
    window: WorldSpan = Field(172_800.0, description="A second try after this time counts as a first.")
    remember: WorldSpan = Field(3_024_000.0, description="A triple that passed stays known for so long; 35 days.")
    trust_after: int = Field(5, ge=1, description="Passed triples after which the source's /24 isn't asked any more.")

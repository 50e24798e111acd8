"""What happens to mail for certain mailboxes."""

import re
from fnmatch import translate
from functools import cached_property
from typing import Literal
from zlib import crc32

from pydantic import Field, model_validator

from postroad_region.world.definition.values import Part, RealSpan, Reply, Share, Slug, WorldSpan

BounceShape = Literal["rfc3464", "rfc3464-headers", "qmail", "plain"]


class Bounce(Part):
    """A message accepted first and returned later, to the envelope's sender."""

    shape: BounceShape | None = Field(None, description="None: the provider's own.")
    after: WorldSpan = Field(30.0, description="How long the provider takes to find out.")
    status: str = Field("5.1.1", pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")
    text: str = Field("The mailbox does not exist any more", pattern=r"^[ -~]{1,200}$")


class Complaint(Part):
    """The recipient marks the message as spam."""

    after: WorldSpan = Field(3600.0, description="How long until the recipient looks at it.")


class MailboxRule(Part):
    """What mail for some local parts meets.

    A rule with `verdict` refuses at RCPT TO: the first that matches counts. The others say what happens to a message
    that is accepted; of those too the first that matches counts. A provider's rules come before those of all, and rules
    without a share before those with one.
    """

    match: str = Field("*", min_length=1, description="Shell pattern for the whole local part, case ignored.")
    share: Share = Field(1.0, description="Share of the matching addresses; an address always falls on the same side.")
    verdict: Slug | None = Field(None, description="What the ledger calls the refusal; `unknown` harms reputation.")
    reply: Reply | None = Field(None, description="None: the provider's reply of that verdict.")
    first_tries: int | None = Field(
        None,
        ge=1,
        description="So many tries of one source, sender and recipient get the reply; none: all.",
    )
    trap: bool = Field(False, description="A spam trap: accepted, and the source's reputation falls.")
    late: RealSpan = Field(0.0, description="Real seconds between the dot and the reply.")
    drop: Literal["before", "after"] | None = Field(
        None, description="Cut the connection instead of the reply to the dot: before or after acceptance."
    )
    bounce: Bounce | None = None
    complaint: Complaint | None = None

    @model_validator(mode="after")
    def _refuses_or_accepts(self) -> "MailboxRule":
        effects = bool(self.trap or self.late or self.drop or self.bounce or self.complaint)
        if (self.verdict is not None) == effects:
            raise ValueError("a rule needs either a verdict or one of trap, late, drop, bounce, complaint")
        if self.verdict is None and (self.reply or self.first_tries):
            raise ValueError("reply and first_tries belong to a rule with a verdict")
        return self

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`match`, compiled."""
        return re.compile(translate(self.match), re.IGNORECASE)

    def holds(self, local: str, key: str) -> bool:
        """Whether it is meant for a local part; `key` decides on which side of `share` it falls."""
        if not self.pattern.match(local):
            return False
        return self.share >= 1 or crc32(f"{self.match} {self.verdict} {key.lower()}".encode()) / 2**32 < self.share

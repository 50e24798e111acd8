"""What a provider answered for one recipient, and which of it is asked for."""

from dataclasses import dataclass

import msgspec

ACCEPTED = "accepted"
COMPLAINT = "complaint"
INCIDENT = "incident"
_BATCH_HEADER_SEPARATOR = "-"


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a provider answered for one recipient (or, with no recipient, for a connection or sender).

    Args:
        at: real seconds since the epoch.
        source: address of the client.
        verdict: `accepted`, or what the provider calls the refusal; `complaint` when a recipient complains later.
        ehlo: the name that the client gave, of an accepted message.
        transaction: the same for all recipients of one message; empty before DATA.
        send: the message's X-Postroad-Send, `<batch>-<n>`.
        spf: outcome of RFC 7208, or empty where it wasn't asked.
        dkim: `pass`, `fail`, `none`, `unchecked` or `temperror`; empty before DATA.
        dmarc: `pass`, `fail`, `none`, `unchecked` or `temperror`; empty where it wasn't asked.
        reverse: whether the source's PTR leads back to it: `pass`, `fail` or `temperror`; empty where it wasn't asked.
        folder: where it was filed, if not in the inbox: `spam`.
        trap: the recipient is a spam trap.
        clock: world time, where it isn't `at`.
        fate: what will become of an accepted message, `bounce` or `complaint`; `incident` for a refusal that is no
            fault of the source's, and costs it nothing.
    """

    at: float
    provider: str
    source: str
    verdict: str
    code: int
    ehlo: str = ""
    sender: str = ""
    recipient: str = ""
    transaction: str = ""
    message_id: str = ""
    send: str = ""
    campaign: str = ""
    size: int = 0
    tls: bool = False
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    reverse: str = ""
    folder: str = ""
    trap: bool = False
    clock: float = 0.0
    fate: str = ""

    @property
    def batch(self) -> str:
        """What of `send` precedes the last hyphen."""
        return self.send.rpartition(_BATCH_HEADER_SEPARATOR)[0]

    @property
    def world_time(self) -> float:
        """When, by the world's clock."""
        return self.clock or self.at

    def line(self) -> bytes:
        """As it stands in the ledger; empty fields are left out."""
        return _encode(self) + b"\n"


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode


def parse(line: bytes) -> Verdict:
    """A line of the ledger; fields that a later version added are passed over.

    Raises:
        ValueError: it is no verdict.
    """
    try:
        return _decode(line)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Query:
    """Which verdicts are wanted; what is None doesn't matter.

    Args:
        campaign: the message's X-Postroad-Campaign, or its batch: the header is removed on the way out.
        since: real seconds since the epoch.
    """

    provider: str | None = None
    verdict: str | None = None
    campaign: str | None = None
    batch: str | None = None
    source: str | None = None
    since: float | None = None

    def needle(self) -> bytes:
        """What every line of the ledger that is wanted contains."""
        return msgspec.json.encode(self.batch or "")[1:-1]

    def wants(self, verdict: Verdict) -> bool:
        """Whether a verdict is asked for."""
        return (
            (self.provider is None or verdict.provider == self.provider)
            and (self.verdict is None or verdict.verdict == self.verdict)
            and (self.campaign is None or self.campaign in (verdict.campaign, verdict.batch))
            and (self.batch is None or verdict.batch == self.batch)
            and (self.source is None or verdict.source == self.source)
            and (self.since is None or verdict.at >= self.since)
        )

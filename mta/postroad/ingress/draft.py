"""A draft: a message that was taken apart and lacks nothing but its signatures."""

from collections.abc import Sequence

import msgspec

from postroad.content.dkim import Unsigned
from postroad.smtp.envelope import Envelope
from postroad.spool.message import Delivery, Message, group_recipients


class Draft(msgspec.Struct, frozen=True):
    """One of them.

    Args:
        received, added: fields to put before its content.
        content: its wire form.
        unsigned: signatures to be made, one a field; they go between the others.
    """

    id: int
    now: float
    envelope: Envelope
    received: bytes
    added: Sequence[bytes]
    content: bytes
    tenant: str
    campaign: str
    unsigned: Sequence[Unsigned]

    def message(self, signatures: Sequence[bytes] = ()) -> Message:
        """With signatures it is whole."""
        envelope = self.envelope
        prefix = b"".join((self.received, *signatures, *self.added))
        message = Message(
            self.id,
            self.now,
            envelope.sender,
            envelope.recipients,
            len(prefix) + len(self.content),
            envelope.eight_bit,
            envelope.smtputf8,
            content=(prefix, self.content),
            tenant=self.tenant,
            campaign=self.campaign,
            dsn=envelope.dsn,
        )
        message.deliveries = [
            Delivery(message, domain, indexes, due=self.now)
            for domain, indexes in group_recipients(envelope.recipients)
        ]
        return message

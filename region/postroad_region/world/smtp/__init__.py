"""SMTP as a provider's MX host speaks it: octets in, events and octets out."""

from postroad_region.world.smtp.receiver import (
    Event,
    Hello,
    Mail,
    Message,
    Offer,
    Quit,
    Receiver,
    Recipient,
    StartTls,
)

__all__ = ["Event", "Hello", "Mail", "Message", "Offer", "Quit", "Receiver", "Recipient", "StartTls"]

"""The envelope: who a message is from, whom it is for, and what its transport must support."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """What MAIL and RCPT said (RFC 5321 2.3.1): addresses as octets without brackets, an empty `sender` for `<>`."""

    sender: bytes
    recipients: tuple[bytes, ...]
    eight_bit: bool = False
    """BODY=8BITMIME was declared (RFC 6152)."""
    smtputf8: bool = False
    """SMTPUTF8 was declared (RFC 6531)."""


def domain_of(address: bytes) -> bytes:
    """The domain of an address in lower case; empty for the null sender."""
    return address.rpartition(b"@")[2].lower() if b"@" in address else b""

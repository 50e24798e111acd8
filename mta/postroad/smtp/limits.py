"""What a server allows a client, and what it offers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a client may ask of one connection."""

    message_size: int = 50 << 20
    """Octets of a message; announced as SIZE (RFC 1870)."""
    recipients: int = 1000
    """Recipients of a message; RFC 5321 4.5.3.1.8 asks for 100 at least."""
    line: int = 4096
    """Octets of a command line; RFC 5321 4.5.3.1.4 asks for 512, parameters need more."""
    errors: int = 20
    """Refused commands before the connection is closed."""
    junk: int = 100
    """EHLO, NOOP, RSET and VRFY between two messages before the connection is closed."""
    auth_failures: int = 3
    """Wrong passwords before the connection is closed."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What a listener offers beyond plain SMTP."""

    starttls: bool = False
    auth: bool = False
    """AUTH, once TLS protects the connection."""
    auth_required: bool = False
    """Nothing is sent for who hasn't said who it is."""


PLAIN = Offers()
"""Neither TLS nor AUTH."""

"""The parts that bounces and complaint reports have in common (RFC 3462, `multipart/report`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate

_END = b"\r\n\r\n"
_HEAD_LIMIT = 32_768
_WHOLE_LIMIT = 262_144
_WORDS = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class Original:
    """The message that a report is about.

    Args:
        arrived: real seconds since the epoch.
    """

    sender: str
    recipient: str
    source: str
    host: str
    transaction: str
    arrived: float
    content: bytes

    @property
    def head(self) -> bytes:
        """Its header, bounded."""
        end = self.content.find(_END)
        return self.content[: end + 2 if end >= 0 else len(self.content)][:_HEAD_LIMIT]

    @property
    def is_small(self) -> bool:
        """Whether it is returned whole; of others only the header is."""
        return len(self.content) <= _WHOLE_LIMIT

    @property
    def domain(self) -> str:
        """The recipient's domain."""
        return self.recipient.rpartition("@")[2].lower()


def date(at: float) -> str:
    """As in a Date header, UTC."""
    return formatdate(at, usegmt=False, localtime=False)


def printable(text: str) -> str:
    """Text that fits into one header line."""
    return _WORDS.sub("?", text)


def headers(fields: Mapping[str, str]) -> bytes:
    """A header with its empty line."""
    return "".join(f"{name}: {printable(value)}\r\n" for name, value in fields.items()).encode() + b"\r\n"


def multipart(boundary: str, parts: Sequence[tuple[str, bytes]]) -> bytes:
    """The body: content type and content of each part."""
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + content.removesuffix(b"\r\n") + b"\r\n"
        for kind, content in parts
    )
    return body + f"--{boundary}--\r\n".encode()

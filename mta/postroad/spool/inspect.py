"""Looking at the messages of a spool, whether an MTA runs on it or not; nothing is changed."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad.smtp.content import dot_unstuff
from postroad.spool.errors import UnreadableError
from postroad.spool.message import Message
from postroad.spool.recovery import read_spool
from postroad.spool.segment import list_segments, read_at, segment_path


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages are looked at: those that have all that is given."""

    id: str | None = None
    """The id of the 250, or that which it has in this spool."""
    domain: str | None = None
    """Of a recipient that is still open."""
    tenant: str | None = None

    def takes(self, message: Message) -> bool:
        """Whether a message is meant."""
        return (
            (self.id is None or self.id.lower() in (message.queue_id, f"{message.id:x}"))
            and (self.tenant is None or self.tenant == message.tenant)
            and (self.domain is None or any(item.domain == self.domain.lower().encode() for item in message.deliveries))
        )


def inspect_spool(folder: Path, wanted: Wanted) -> Iterator[Message]:
    """The messages of a spool that are meant, oldest first.

    Raises:
        FileNotFoundError: there is no spool in the folder.
    """
    if not list_segments(folder):
        raise FileNotFoundError(f"{folder} holds no spool: name the folder of [spool] path")
    return filter(wanted.takes, read_spool(folder).messages.values())


def content_of(folder: Path, message: Message) -> bytes:
    """A message as it will be sent, without the dots that DATA adds.

    Raises:
        UnreadableError: its octets aren't what was written.
        FileNotFoundError: its segment has gone meanwhile.
    """
    location = message.location
    assert location is not None
    body = read_at(segment_path(folder, location.segment), location.offset, location.size)
    if zlib.crc32(body) != location.check:
        raise UnreadableError(f"message {message.queue_id} fails its checksum: its content isn't what was accepted")
    return dot_unstuff(body)


def as_dict(message: Message) -> dict[str, Any]:
    """A message's envelope and schedule, for JSON. Times are Unix times."""
    location = message.location
    assert location is not None
    return {
        "id": message.queue_id,
        "received": message.received,
        "sender": _text(message.sender),
        "recipients": [_text(recipient) for recipient in message.recipients],
        "tenant": message.tenant,
        "campaign": message.campaign,
        "size": message.size,
        "segment": f"{location.segment:016x}",
        "offset": location.offset,
        "open": [
            {
                "domain": _text(delivery.domain),
                "recipients": [_text(address) for address in delivery.addresses],
                "attempts": delivery.attempts,
                "due": delivery.due,
                "reply": delivery.reply,
            }
            for delivery in message.deliveries
        ],
    }


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")

"""Verification: a whole spool read, nothing changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad.spool.recovery import read_spool
from postroad.spool.segment import list_segments


@dataclass(frozen=True, slots=True)
class SpoolReport:
    """What a spool holds and what of it can't be read."""

    segments: int
    octets: int
    records: int
    messages: int
    recipients: int
    damage: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "segments": self.segments,
            "octets": self.octets,
            "records": self.records,
            "messages": self.messages,
            "recipients": self.recipients,
            "damage": list(self.damage),
        }


def verify_spool(folder: Path) -> SpoolReport:
    """Read all segments with all checksums. A running MTA's last record may look torn: it is being written.

    Raises:
        FileNotFoundError: there is no spool in the folder.
    """
    if not list_segments(folder):
        raise FileNotFoundError(f"{folder} holds no spool: name the folder of [spool] path")
    found = read_spool(folder, check_bodies=True)
    return SpoolReport(
        len(found.segments),
        sum(segment.size for segment in found.segments),
        found.records,
        len(found.messages),
        sum(len(delivery.recipients) for message in found.messages.values() for delivery in message.deliveries),
        tuple(str(damage) for damage in found.damage),
    )

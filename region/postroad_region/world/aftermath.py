"""What becomes of messages after they were accepted: bounces and complaints are put into the outbound queue.

They are there before the ledger has the message: a world killed in between sends a bounce for a message that was never
answered 250, and forgets none that was.
"""

import re
import secrets
import time

import structlog

from postroad_region.world.clock import Clock
from postroad_region.world.decisions.dmarc import from_domain
from postroad_region.world.definition.mailboxes import MailboxRule
from postroad_region.world.feedback import FeedbackLoops
from postroad_region.world.mailboxes import Delivered
from postroad_region.world.outbound import arf, dsn
from postroad_region.world.outbound.queue import Entry, FullError, OutboundQueue
from postroad_region.world.outbound.report import Original

log = structlog.get_logger()

_SIGNED_BY = re.compile(
    rb"^dkim-signature:(?:[^\r\n]|\r\n[ \t])*?(?<=[;:\s])d\s*=\s*([a-z0-9.-]+)", re.IGNORECASE | re.MULTILINE
)


class Aftermath:
    """Puts what follows from a rule into the queue.

    Args:
        loops: where complaints are reported.
    """

    def __init__(self, queue: OutboundQueue, *, loops: FeedbackLoops, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self.loops = loops
        self.dropped = 0

    def take(self, delivered: Delivered) -> None:
        """Note what will come of a message.

        Raises:
            OSError: the disk is full; the message must not be accepted then.
        """
        for recipient, rule in delivered.fates:
            if rule.bounce is not None and delivered.sender:
                self._put(self._bounce(delivered, recipient, rule))
            elif rule.complaint is not None:
                self._put(self._complaint(delivered, recipient, rule))

    def reset(self) -> None:
        """Back to the file's feedback addresses."""
        self.loops.reset()
        self.dropped = 0

    def _put(self, entry: Entry) -> None:
        try:
            self._queue.put(entry)
        except FullError as error:
            self.dropped += 1
            log.warning("dropped", kind=entry.kind, reason=str(error))

    def _bounce(self, delivered: Delivered, recipient: str, rule: MailboxRule) -> Entry:
        assert rule.bounce is not None
        shape = rule.bounce.shape or delivered.provider.bounces
        content = dsn.bounce(self._original(delivered, recipient), rule.bounce, shape, now=time.time())
        return self._entry("bounce", delivered, recipient, rule.bounce.after, delivered.sender, content)

    def _complaint(self, delivered: Delivered, recipient: str, rule: MailboxRule) -> Entry:
        assert rule.complaint is not None
        address = self.feedback_address(delivered.sender, delivered.content) if delivered.provider.feedback else ""
        content = b""
        if address:
            content = arf.complaint(self._original(delivered, recipient), address, now=time.time())
        return self._entry("complaint", delivered, recipient, rule.complaint.after, address, content)

    def feedback_address(self, sender: str, content: bytes) -> str:
        """Where complaints about a message go; empty if nobody registered for its domains."""
        head = content[: content.find(b"\r\n\r\n") + 2] or content
        domains = [match.decode("ascii").lower() for match in _SIGNED_BY.findall(head)]
        domains += [sender.rpartition("@")[2].lower(), from_domain(head) or ""]
        return self.loops.address(domains)

    def _original(self, delivered: Delivered, recipient: str) -> Original:
        return Original(
            sender=delivered.sender,
            recipient=recipient,
            source=delivered.source,
            host=delivered.provider.mx[0].host,
            transaction=delivered.transaction,
            arrived=time.time(),
            content=delivered.content,
        )

    def _entry(self, kind: str, delivered: Delivered, recipient: str, after: float, to: str, content: bytes) -> Entry:
        now = self._clock.now()
        host = delivered.provider.mx[0]
        return Entry(
            id=secrets.token_hex(8),
            kind="bounce" if kind == "bounce" else "complaint",
            provider=delivered.provider.name,
            due=now + after,
            made=now + after,
            address=host.address,
            host=host.host,
            to=to,
            sender=delivered.sender,
            recipient=recipient,
            source=delivered.source,
            transaction=delivered.transaction,
            content=content,
        )

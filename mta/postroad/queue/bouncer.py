"""Telling senders what became of their mail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from postroad.clock import steady
from postroad.content.dsn import Action, ReportedMessage, ReportedRecipient, build_dsn
from postroad.content.headers import DateStamp
from postroad.smtp.envelope import Notify
from postroad.smtp.replies import Reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, group_recipients

Said = dict[int, Reply]
"""The last word on recipients, by their index."""


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """What notifications there are besides those of failures; times in seconds."""

    delay_after: float = 4 * 3600.0
    """Age at which senders that asked for it hear of a delay; 0: never."""
    return_limit: int = 1 << 20
    """Octets of the largest message that is returned whole."""
    max_age: float = 5 * 86400.0
    """When a message is given up."""


def wants(message: Message, index: int, event: Notify) -> bool:
    """Whether the sender wants to hear this of a recipient: failures, unless it said otherwise (RFC 3461 4.1)."""
    dsn = message.dsn
    flags = dsn.notify[index] if dsn is not None and dsn.notify else 0
    return bool(flags & event) if flags else event is Notify.FAILURE


def crosses(received: float, was_due: float, due: float, *, after: float) -> bool:
    """Whether the age `after` lies between an attempt and the next one.

    Attempts part a message's life without gap, so this is so once, also if the process began anew in between.
    """
    return after > 0 and was_due < received + after <= due


class Bouncer:
    """Makes notifications and puts them into the spool.

    Args:
        submit: takes a notification that is on disk.
    """

    def __init__(
        self, spool: Spool, submit: Callable[[Message], None], *, hostname: str, policy: NoticePolicy, log: Any
    ) -> None:
        self._spool = spool
        self._submit = submit
        self._hostname = hostname
        self._policy = policy
        self._log = log
        self._date = DateStamp()

    async def tell_sender(
        self, part: Delivery, said: Said, host: str, told: Callable[[SpoolError | None], None]
    ) -> None:
        """Store a notification on failed recipients; `told(None)` once it is durable, or none is wanted.

        A message with a null sender is itself a notification: nobody is told (RFC 5321 6.1).
        """
        message = part.message
        if not message.sender:
            self._log.warning("double_bounce_discarded", queue_id=message.queue_id)
            told(None)
            return
        wanted = _wanted(message, said, Notify.FAILURE)
        if not wanted:
            told(None)
            return
        self._tell(message, Action.FAILED, wanted, host, await self._content(message), told)

    def relayed(self, message: Message, said: Said, host: str, content: bytes) -> None:
        """Recipients were taken by a host that knows no DSN: who asked for success is told (RFC 3461 5.2.2)."""
        wanted = _wanted(message, said, Notify.SUCCESS)
        if wanted:
            self._tell(message, Action.RELAYED, wanted, host, content, self._if_stored(message))

    async def delayed(self, part: Delivery, said: Said, host: str, *, was_due: float) -> None:
        """Recipients are to wait until the part's `due`: who asked is told once that it takes long."""
        message = part.message
        if not crosses(message.received, was_due, part.due, after=self._policy.delay_after):
            return
        wanted = _wanted(message, said, Notify.DELAY)
        if wanted:
            content = await self._content(message)
            self._tell(message, Action.DELAYED, wanted, host, content, self._if_stored(message))

    def _if_stored(self, message: Message) -> Callable[[SpoolError | None], None]:
        """For notices that nothing waits for: one that found no room is only logged."""

        def told(error: SpoolError | None) -> None:
            if error is not None:
                self._log.warning("notification_not_stored", about=message.queue_id, error=str(error))

        return told

    def _tell(
        self,
        message: Message,
        action: Action,
        said: Said,
        host: str,
        content: bytes,
        told: Callable[[SpoolError | None], None],
    ) -> None:
        notification = self._notification(message, action, said, host, content)

        def stored(error: SpoolError | None) -> None:
            if error is None:
                self._log.info(
                    "notification", queue_id=notification.queue_id, about=message.queue_id, action=action.name.lower()
                )
            told(error)
            if error is None:
                self._submit(notification)

        self._spool.append(notification, stored)

    async def _content(self, message: Message) -> bytes:
        if message.content is not None:
            return b"".join(message.content)
        try:
            return await self._spool.read(message)
        except (SpoolError, OSError) as error:
            self._log.error("spool_unreadable", queue_id=message.queue_id, error=str(error))
            return b""

    def _notification(self, message: Message, action: Action, said: Said, host: str, content: bytes) -> Message:
        now = steady()
        id = self._spool.next_id()
        dsn = message.dsn
        orcpt = dsn.orcpt if dsn is not None else ()
        recipients = [
            ReportedRecipient(message.recipients[index], reply, host, orcpt[index] if orcpt else b"")
            for index, reply in said.items()
        ]
        body = build_dsn(
            ReportedMessage(
                message.queue_id,
                message.sender,
                DateStamp()(steady.wall(message.received)),
                content,
                dsn.envid if dsn is not None else b"",
                dsn is not None and dsn.ret == "FULL",
            ),
            recipients,
            action,
            hostname=self._hostname,
            id=f"{id:x}",
            date=self._date(steady.wall(now)),
            retry_until=DateStamp()(steady.wall(message.received + self._policy.max_age))
            if action is Action.DELAYED
            else b"",
            return_limit=self._policy.return_limit,
        )
        addresses = [message.sender, *(item.address for item in recipients)]
        smtputf8 = message.smtputf8 and not all(address.isascii() for address in addresses)
        notification = Message(
            id, now, b"", (message.sender,), len(body), eight_bit=True, smtputf8=smtputf8, content=(body,)
        )
        notification.deliveries = [
            Delivery(notification, domain, indexes, due=now)
            for domain, indexes in group_recipients(notification.recipients)
        ]
        return notification


def _wanted(message: Message, said: Said, event: Notify) -> Said:
    if not message.sender:
        return {}
    return {index: reply for index, reply in said.items() if wants(message, index, event)}

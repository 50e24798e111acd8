"""Telling senders what failed."""

import time
from collections.abc import Callable
from typing import Any

from postroad.content.dsn import BouncedMessage, FailedRecipient, build_dsn
from postroad.content.headers import DateStamp
from postroad.smtp.replies import Reply
from postroad.spool.errors import SpoolError
from postroad.spool.log import Spool
from postroad.spool.message import Delivery, Message, group_recipients


class Bouncer:
    """Makes notifications and puts them into the spool.

    Args:
        submit: takes a notification that is on disk.
    """

    def __init__(self, spool: Spool, submit: Callable[[Message], None], *, hostname: str, log: Any) -> None:
        self._spool = spool
        self._submit = submit
        self._hostname = hostname
        self._log = log
        self._date = DateStamp()

    async def tell_sender(
        self, part: Delivery, said: dict[int, Reply], host: str, told: Callable[[SpoolError | None], None]
    ) -> None:
        """Store a notification on failed recipients; `told(None)` once it is durable.

        A message with a null sender is itself a notification: nobody is told (RFC 5321 6.1).
        """
        message = part.message
        if not message.sender:
            self._log.warning("double_bounce_discarded", queue_id=message.queue_id)
            told(None)
            return
        notification = self._notification(message, part, said, host, await self._content(message))

        def stored(error: SpoolError | None) -> None:
            if error is None:
                self._log.info("notification", queue_id=notification.queue_id, about=message.queue_id)
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

    def _notification(
        self, message: Message, part: Delivery, said: dict[int, Reply], host: str, content: bytes
    ) -> Message:
        now = time.time()
        id = self._spool.next_id()
        failed = [FailedRecipient(message.recipients[index], reply, host) for index, reply in said.items()]
        bounced = BouncedMessage(message.queue_id, message.sender, DateStamp()(message.received), content)
        body = build_dsn(bounced, failed, hostname=self._hostname, id=f"{id:x}", date=self._date(now))
        addresses = [message.sender, *(item.address for item in failed)]
        smtputf8 = message.smtputf8 and not all(address.isascii() for address in addresses)
        notification = Message(
            id, now, b"", (message.sender,), len(body), eight_bit=True, smtputf8=smtputf8, content=(body,)
        )
        notification.deliveries = [
            Delivery(notification, domain, indexes, due=now)
            for domain, indexes in group_recipients(notification.recipients)
        ]
        return notification

"""Accounts of messages: what clients were promised, and what became of it at a mail host."""

import re
import smtplib
import threading
from collections import Counter
from typing import Any

from aiosmtpd.smtp import Envelope, Session
from daemons import Sink

_ID = re.compile(rb"^X-Id: ([^\r\n]+)", re.MULTILINE)
SENDER = "sender@x.test"
KINDS = ("usual", "usual", "usual", "later", "never", "usual")
"""How recipients' addresses begin, in turn."""


def id_of(content: bytes) -> str:
    """The X-Id of a message, or of that which a notification is about: it ends with its header."""
    return _ID.findall(content)[-1].decode()


class AccountingSink(Sink):
    """A host that takes mail, defers what is for "later…" until it is `open`, and refuses what is for "never…".

    Whatever it answers 250 to is counted before it is answered: messages by their X-Id in `delivered`, notifications of
    a failure by the X-Id of the message that they are about in `bounced`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.open = False
        self.delivered: Counter[str] = Counter()
        self.bounced: Counter[str] = Counter()

    async def handle_RCPT(
        self, server: object, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("never"):
            return "550 5.1.1 nobody here"
        if address.startswith("later") and not self.open:
            return "450 4.2.0 later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        counted = self.bounced if envelope.rcpt_tos == [SENDER] else self.delivered
        counted[id_of(envelope.content)] += 1
        return "250 2.0.0 taken"

    @property
    def settled(self) -> set[str]:
        """What was delivered, or given back."""
        return self.delivered.keys() | self.bounced.keys()

    @property
    def duplicates(self) -> int:
        """How often something came again."""
        return sum(count - 1 for count in (*self.delivered.values(), *self.bounced.values()))


class Client(threading.Thread):
    """Sends messages without a pause until `stop`, on a new connection whenever one breaks."""

    def __init__(self, port: int, name: str, *, lines: int = 30) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._prefix = name
        self._body = ("x" * 70 + "\n") * lines
        self._over = threading.Event()
        self.accepted: list[str] = []
        """X-Ids of what got 250."""
        self.sent = 0

    def run(self) -> None:
        while not self._over.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self._port, timeout=10) as session:
                    while not self._over.is_set():
                        self._send(session)
            except (OSError, smtplib.SMTPException):
                # The MTA is down: it comes back when it does.
                self._over.wait(0.01)

    def _send(self, session: smtplib.SMTP) -> None:
        self.sent += 1
        id = f"{self._prefix}-{self.sent}"
        session.ehlo_or_helo_if_needed()
        session.mail(SENDER)
        session.rcpt(f"{KINDS[self.sent % len(KINDS)]}{self.sent}@y.test")
        if session.data(f"From: {SENDER}\nX-Id: {id}\n\n{self._body}")[0] == 250:
            self.accepted.append(id)

    def stop(self) -> None:
        self._over.set()
        self.join()

"""A mail transaction on its way in: from MAIL to the end of its content (RFC 5321 3.3)."""

from postroad.smtp.commands import MailArguments, RcptArguments
from postroad.smtp.envelope import DsnRequest, Envelope


class MailTransaction:
    """What MAIL and RCPT said so far."""

    __slots__ = ("_notify", "_orcpt", "chunked", "mail", "recipients")

    def __init__(self, mail: MailArguments) -> None:
        self.mail = mail
        self.recipients: list[bytes] = []
        self._notify: list[int] = []
        self._orcpt: list[bytes] = []
        self.chunked = False
        """A chunk of its content has come: the rest comes in chunks too (RFC 3030 2)."""

    def add(self, recipient: RcptArguments) -> None:
        """One more recipient; one that is named twice stays two."""
        self.recipients.append(recipient.address)
        self._notify.append(recipient.notify)
        self._orcpt.append(recipient.orcpt)

    def envelope(self) -> Envelope:
        """All of it."""
        mail = self.mail
        dsn = None
        if len(self.recipients) == 1 and not (mail.ret or mail.envid or self._notify[0] or self._orcpt[0]):
            return Envelope(mail.sender, (self.recipients[0],), mail.eight_bit, mail.smtputf8)
        notified, named = any(self._notify), any(self._orcpt)
        if mail.ret or mail.envid or notified or named:
            dsn = DsnRequest(
                mail.ret, mail.envid, tuple(self._notify) if notified else (), tuple(self._orcpt) if named else ()
            )
        return Envelope(mail.sender, tuple(self.recipients), mail.eight_bit, mail.smtputf8, dsn)

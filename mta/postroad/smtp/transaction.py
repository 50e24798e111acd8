"""Transactions of a client: one message for one site, and the commands that say so."""

from collections.abc import Mapping, Sequence

import msgspec

from postroad.smtp.content import dot_unstuff
from postroad.smtp.envelope import DsnRequest, Notify
from postroad.smtp.replies import Reply, local_reply

_NOTIFY = {
    flags: b" NOTIFY=" + b",".join(str(flag.name).encode() for flag in Notify if flag & flags) for flags in range(1, 16)
}


class Transaction(msgspec.Struct, frozen=True):
    """One message for one site. `content` is the wire form (dot-stuffed, ending in CRLF), in pieces."""

    sender: bytes
    recipients: Sequence[bytes]
    content: Sequence[bytes]
    size: int
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: DsnRequest | None = None
    """What the sender asked, for these recipients in their order."""
    about: object = None
    """Whatever the caller wants to find again in the transaction's last event."""

    def impossible(self, extensions: Mapping[str, str]) -> Reply | None:
        """Why a server with these extensions can't take it."""
        limit = extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < self.size:
            return local_reply(552, "5.3.4", f"message of {self.size} octets, peer takes {limit}")
        if self.smtputf8 and "SMTPUTF8" not in extensions:
            return local_reply(550, "5.6.7", "peer does not support SMTPUTF8")
        return None

    def mail_command(self, extensions: Mapping[str, str]) -> bytes:
        """MAIL, with the parameters that the server knows (RFC 1870, 6152, 6531, 3461)."""
        mail = b"MAIL FROM:<%s>" % self.sender
        if "SIZE" in extensions:
            mail += b" SIZE=%d" % self.size
        if self.eight_bit and "8BITMIME" in extensions:
            # Without 8BITMIME the octets go as they are: today's servers are 8-bit clean, and nothing is re-encoded.
            mail += b" BODY=8BITMIME"
        if self.smtputf8:
            mail += b" SMTPUTF8"
        if self.dsn is not None and "DSN" in extensions:
            if self.dsn.ret:
                mail += b" RET=" + self.dsn.ret.encode()
            if self.dsn.envid:
                mail += b" ENVID=" + self.dsn.envid
        return mail + b"\r\n"

    def rcpt_command(self, index: int, extensions: Mapping[str, str]) -> bytes:
        """RCPT for one of the recipients."""
        rcpt = b"RCPT TO:<%s>" % self.recipients[index]
        if self.dsn is not None and "DSN" in extensions:
            if self.dsn.notify and (flags := self.dsn.notify[index]):
                rcpt += _NOTIFY[flags]
            if self.dsn.orcpt and (orcpt := self.dsn.orcpt[index]):
                rcpt += b" ORCPT=" + orcpt
        return rcpt + b"\r\n"

    def rcpt_commands(self, extensions: Mapping[str, str]) -> list[bytes]:
        """RCPT for all of them."""
        if self.dsn is None:
            return [b"RCPT TO:<%s>\r\n" % recipient for recipient in self.recipients]
        return [self.rcpt_command(index, extensions) for index in range(len(self.recipients))]

    def chunk(self) -> tuple[bytes, bytes]:
        """BDAT for the whole message, and its octets without dot-stuffing (RFC 3030)."""
        content = self.content[0] if len(self.content) == 1 else b"".join(self.content)
        content = dot_unstuff(content)
        return b"BDAT %d LAST\r\n" % len(content), content

"""One mailbox provider: its answers at each step of SMTP, decided here and spoken by aiosmtpd."""

import re
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from postroad_region.world.definition import Provider
from postroad_region.world.ledger import ACCEPTED, Ledger, Verdict
from postroad_region.world.limits import HourlyCount, Tries
from postroad_region.world.lookups import Remembered
from postroad_region.world.signatures import SignatureCheck
from postroad_region.world.spf import Resolver, check_host

log = structlog.get_logger()

_HEADERS = re.compile(
    rb"^(message-id|x-postroad-send|x-postroad-campaign):[ \t]*((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_SPF_SECONDS = 60
_IDLE_SECONDS = 300
_VALUE_LIMIT = 300


class Mailboxes:
    """What a provider knows and decides, for all its MX hosts together; knows no sockets.

    Args:
        hour: seconds of an hour for limits.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        hour: float,
        resolver: Resolver,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.provider = provider
        self._ledger: Ledger | None = None
        self._resolver = resolver
        self._clock = clock
        self._sent = HourlyCount(hour)
        self._tries = Tries()
        self._connections: Counter[str] = Counter()
        self._spf = Remembered(_SPF_SECONDS)
        self._signatures = SignatureCheck(provider.checks.dkim_per_second, resolver)

    def record_in(self, ledger: Ledger) -> None:
        """Where verdicts go from now on; before that nothing may be asked."""
        self._ledger = ledger

    def replay(self, verdict: Verdict) -> None:
        """Take up what a verdict of the past means for limits and greylists."""
        if verdict.verdict == ACCEPTED:
            self._sent.add(verdict.source, verdict.at)
        elif verdict.recipient:
            self._tries.add((verdict.verdict, verdict.source, verdict.sender, verdict.recipient))

    def clear(self) -> None:
        """Forget limits and greylists; connections stay counted."""
        self._sent.clear()
        self._tries.clear()

    def connected(self, source: str) -> None:
        """A connection began."""
        self._connections[source] += 1

    def disconnected(self, source: str) -> None:
        """A connection ended."""
        self._connections[source] -= 1
        if self._connections[source] <= 0:
            del self._connections[source]

    def greet(self, source: str) -> str | None:
        """A refusal of EHLO, or None."""
        limit = self.provider.limits.connections
        if limit is None or self._connections[source] <= limit.count:
            return None
        self._record([self._verdict(source, "connections", limit.reply)])
        return limit.reply

    def sender(self, source: str, sender: str) -> str | None:
        """A refusal of MAIL FROM, or None."""
        limit = self.provider.limits.messages_per_hour
        if limit is None or self._sent.within(source, self._clock()) < limit.count:
            return None
        self._record([self._verdict(source, "rate-limited", limit.reply, sender=sender)])
        return limit.reply

    def recipient(self, source: str, sender: str, recipient: str) -> str | None:
        """A refusal of RCPT TO, or None."""
        local, _, domain = recipient.rpartition("@")
        if domain.lower() != self.provider.domain:
            reply = f"550 5.7.1 Relaying denied: this host takes mail for {self.provider.domain}"
            self._record([self._verdict(source, "relaying", reply, sender=sender, recipient=recipient)])
            return reply
        for rule in self.provider.recipients:
            if not rule.pattern.match(local):
                continue
            key = (rule.verdict, source, sender, recipient)
            if rule.first_tries is not None and self._tries[key] >= rule.first_tries:
                return None
            self._tries.add(key)
            self._record([self._verdict(source, rule.verdict, rule.reply, sender=sender, recipient=recipient)])
            return rule.reply
        return None

    async def message(
        self, source: str, ehlo: str, sender: str, recipients: list[str], content: bytes, *, tls: bool
    ) -> str:
        """Take a message for all recipients; the reply, given only after the ledger has it."""
        headers = _identifying_headers(content)
        transaction = secrets.token_hex(8)
        spf = ""
        if self.provider.checks.spf:
            domain = sender.rpartition("@")[2] or ehlo
            spf = await self._spf.get(f"{source} {domain}", lambda: check_host(source, domain, self._resolver))
        dkim = await self._signatures.outcome(content)
        verdicts = [
            Verdict(
                at=self._clock(),
                provider=self.provider.name,
                source=source,
                verdict=ACCEPTED,
                code=250,
                sender=sender,
                recipient=recipient,
                transaction=transaction,
                message_id=headers.get("message-id", ""),
                send=headers.get("x-postroad-send", ""),
                campaign=headers.get("x-postroad-campaign", ""),
                size=len(content),
                tls=tls,
                spf=spf,
                dkim=dkim,
            )
            for recipient in recipients
        ]
        try:
            self._record(verdicts)
        except OSError:
            return "452 4.3.1 Insufficient system storage"
        self._sent.add(source, verdicts[0].at, len(verdicts))
        return f"250 2.0.0 OK {transaction}"

    def _verdict(self, source: str, verdict: str, reply: str, *, sender: str = "", recipient: str = "") -> Verdict:
        return Verdict(
            at=self._clock(),
            provider=self.provider.name,
            source=source,
            verdict=verdict,
            code=int(reply[:3]),
            sender=sender,
            recipient=recipient,
        )

    def _record(self, verdicts: list[Verdict]) -> None:
        assert self._ledger is not None
        self._ledger.append(verdicts)


class ProviderSmtp(SMTP):  # type: ignore[misc]  # aiosmtpd has no types
    """A connection to one of a provider's MX hosts."""

    def __init__(self, mailboxes: Mailboxes, host: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(
            _Hooks(mailboxes),
            data_size_limit=mailboxes.provider.max_size,
            enable_SMTPUTF8=True,
            hostname=host,
            ident=mailboxes.provider.banner,
            tls_context=tls,
            timeout=_IDLE_SECONDS,
        )
        self._mailboxes = mailboxes
        self._source: str | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the connection, once: aiosmtpd calls this again after STARTTLS."""
        if self._source is None:
            self._source = transport.get_extra_info("peername")[0]
            self._mailboxes.connected(self._source)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it no more."""
        if self._source is not None:
            self._mailboxes.disconnected(self._source)
            self._source = None
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        """Answer; a 421 is the last that is said (RFC 5321 3.8)."""
        await super().push(status)
        if status[:3] in ("421", b"421") and self.transport is not None:
            self.transport.close()


class _Hooks:
    """aiosmtpd's handler: carries its calls to the mailboxes."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes

    async def handle_EHLO(  # noqa: N802  aiosmtpd's names, here and below
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        refusal = self._mailboxes.greet(session.peer[0])
        if refusal is not None:
            return [refusal]
        session.host_name = hostname
        offered = [line for line in responses[:-1] if not line.startswith("250-AUTH")]
        return [*offered, "250-PIPELINING", "250 ENHANCEDSTATUSCODES"]

    async def handle_HELO(self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str) -> str:  # noqa: N802
        session.host_name = hostname
        return self._mailboxes.greet(session.peer[0]) or f"250 {_server.hostname}"

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._mailboxes.sender(session.peer[0], _path(address))
        if refusal is None:
            # aiosmtpd keeps `<>` as it is: an empty string would be no MAIL to it.
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._mailboxes.recipient(session.peer[0], _path(envelope.mail_from), address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return refusal or "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        # aiosmtpd would say 500, and mail would bounce for a full disk here.
        log.error("failed", reason=f"{type(error).__name__}: {error}")
        return "451 4.3.0 Try again later"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return await self._mailboxes.message(
            session.peer[0],
            session.host_name,
            _path(envelope.mail_from),
            envelope.rcpt_tos,
            envelope.content,
            tls=session.ssl is not None,
        )


def _path(address: str | None) -> str:
    return "" if address in (None, "<>") else str(address)


def _identifying_headers(content: bytes) -> dict[str, str]:
    """Message-ID and Postroad's own, each the first of its name, unfolded and bounded."""
    found: dict[str, str] = {}
    end = content.find(b"\r\n\r\n")
    for name, value in _HEADERS.findall(content[: end + 2 if end >= 0 else None]):
        text = b" ".join(value.split())[:_VALUE_LIMIT].decode("utf-8", "replace")
        found.setdefault(name.lower().decode(), text)
    return found

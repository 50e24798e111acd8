"""One mailbox provider: its answers at each step of SMTP. Knows no sockets."""

import contextlib
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from postroad_region.world.authentication import Authentication
from postroad_region.world.clock import Clock
from postroad_region.world.decisions.filing import Outcomes, filed
from postroad_region.world.decisions.limits import SlidingCount
from postroad_region.world.decisions.reputation import Standing
from postroad_region.world.decisions.spf import Resolver
from postroad_region.world.definition.limits import Limit
from postroad_region.world.definition.mailboxes import MailboxRule
from postroad_region.world.definition.provider import Provider
from postroad_region.world.incidents import Incidents
from postroad_region.world.ledger import Ledger
from postroad_region.world.standings import GREYLISTED, THROTTLED, UNKNOWN, Standings
from postroad_region.world.verdict import ACCEPTED, COMPLAINT, INCIDENT, Verdict

_HEADERS = re.compile(
    rb"^(message-id|x-postroad-send|x-postroad-campaign):[ \t]*((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE | re.MULTILINE
)
_UNPRINTABLE = re.compile(r"[^ -~]")
_VALUE_LIMIT = 300
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that was taken, with what its recipients' rules want to become of it.

    Args:
        fates: a rule for each recipient that has one.
    """

    provider: Provider
    source: str
    sender: str
    transaction: str
    content: bytes
    fates: tuple[tuple[str, MailboxRule], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to do at the dot: `reply` after `late` real seconds, or cut the connection instead."""

    reply: str
    late: float = 0.0
    cut: bool = False


class Mailboxes:
    """What a provider knows and decides, for all its MX hosts together.

    Args:
        rules: those of every provider, after its own.
        clock: the world's.
        after: given each message that was taken and has a fate, before the ledger has it.
        real: seconds since the epoch.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        rules: Sequence[MailboxRule] = (),
        clock: Clock,
        resolver: Resolver,
        incidents: Incidents,
        after: Callable[[Delivered], None] = lambda _: None,
        real: Callable[[], float] = time.time,
    ) -> None:
        self.provider = provider
        self.standings = Standings(provider)
        self._ledger: Ledger | None = None
        self._clock = clock
        self._real = real
        self._incidents = incidents
        self._after = after
        self._domains = frozenset(provider.domains)
        # What is meant for chosen names isn't left to the chance of a share.
        known = sorted((*provider.recipients, *rules), key=lambda rule: rule.share < 1)
        self._refusing = [rule for rule in known if rule.verdict is not None]
        self._fated = [rule for rule in known if rule.verdict is None]
        self._connections: Counter[str] = Counter()
        self._arrivals = SlidingCount(_MINUTE)
        self._authentication = Authentication(provider.checks, resolver)

    def record_in(self, ledger: Ledger) -> None:
        """Where verdicts go from now on; before that nothing may be asked."""
        self._ledger = ledger

    def clear(self) -> None:
        """Forget what is known of sources; connections stay counted."""
        self.standings.clear()
        self._arrivals.clear()

    def connections(self) -> int:
        """How many there are now."""
        return self._connections.total()

    def connected(self, source: str) -> None:
        """A connection began."""
        self._connections[source] += 1
        self._arrivals.add(source, self._clock.now())

    def disconnected(self, source: str) -> None:
        """A connection ended."""
        self._connections[source] -= 1
        if self._connections[source] <= 0:
            del self._connections[source]

    def greet(self, source: str) -> str | None:
        """A refusal of EHLO, or None."""
        limits = self.provider.limits
        if self._beyond(limits.connections, self._connections[source] - 1):
            return self._refused("connections", limits.connections, source)
        if self._beyond(limits.connections_per_minute, self._arrivals.within(source, self._clock.now()) - 1):
            return self._refused("connections", limits.connections_per_minute, source)
        return None

    def sender(self, source: str, sender: str, *, secure: bool = False, earlier: int = 0) -> str | None:
        """A refusal of MAIL FROM, or None; `earlier`: messages of the connection before this one."""
        if self.provider.require_tls and not secure:
            return self._refuse("tls-required", source, sender=sender)
        if self._incidents.running() and (refusal := self._disturbed(source, sender)) is not None:
            return refusal
        now = self._clock.now()
        match self.standings.standing(source, now):
            case Standing.BLOCKED:
                return self._refuse("blocked", source, sender=sender)
            case Standing.THROTTLED:
                return self._refuse(THROTTLED, source, sender=sender)
        limits = self.provider.limits
        if self._beyond(limits.messages_per_hour, self.standings.hour.within(source, now)):
            return self._refused("rate-limited", limits.messages_per_hour, source, sender=sender)
        if self._beyond(limits.messages_per_minute, self.standings.minute.within(source, now)):
            return self._refused("rate-limited", limits.messages_per_minute, source, sender=sender)
        if self._beyond(limits.messages_per_connection, earlier):
            return self._refused("messages", limits.messages_per_connection, source, sender=sender)
        return None

    def recipient(self, source: str, sender: str, recipient: str, *, earlier: int = 0) -> str | None:
        """A refusal of RCPT TO, or None; `earlier`: recipients of the message accepted before this one."""
        local, _, domain = recipient.rpartition("@")
        if domain.lower() not in self._domains:
            return self._refuse("relaying", source, sender=sender, recipient=recipient)
        if self._incidents.running():
            for incident in self._incidents.all_of(self.provider.name, "unknown-recipients"):
                rule = MailboxRule(share=incident.share, verdict=UNKNOWN)
                if incident.concerns(source) and rule.holds(local, recipient):
                    return self._refuse(
                        UNKNOWN, source, sender=sender, recipient=recipient, reply=incident.reply, fate=INCIDENT
                    )
        for rule in self._refusing:
            if rule.holds(local, recipient):
                assert rule.verdict is not None
                key = (rule.verdict, source, sender, recipient)
                if rule.first_tries is None or self.standings.tries[key] < rule.first_tries:
                    return self._refuse(rule.verdict, source, sender=sender, recipient=recipient, reply=rule.reply)
                break
        if self._beyond(limit := self.provider.limits.recipients_per_message, earlier):
            return self._refused("recipients", limit, source, sender=sender, recipient=recipient)
        if not self.standings.is_acquainted(source, sender, recipient, self._clock.now()):
            return self._refuse(GREYLISTED, source, sender=sender, recipient=recipient)
        return None

    async def message(
        self, source: str, ehlo: str, sender: str, recipients: Sequence[str], content: bytes, *, tls: bool
    ) -> Outcome:
        """Take a message for all recipients; the reply is given only after the ledger has it."""
        found = await self._authentication.outcomes(source, ehlo, sender, content)
        filing = filed(found, self.provider.checks)
        transaction = secrets.token_hex(8)
        if filing.refused is not None:
            reply = self._refuse(filing.refused, source, sender=sender, recipient=recipients[0])
            return Outcome(reply)
        fates = self._fates(recipients, content)
        cut = next((rule.drop for _, rule in fates if rule.drop), None)
        if cut == "before":
            self._record([self._verdict(source, "dropped", 0, sender=sender, recipient=recipients[0])])
            return Outcome("", cut=True)
        verdicts = self._accepted(
            source, ehlo, sender, recipients, content, found, filing.folder, transaction, fates, tls
        )
        try:
            if fates:
                self._after(Delivered(self.provider, source, sender, transaction, content, fates))
            self._record(verdicts)
        except OSError:
            return Outcome(self._filled(self.provider.reply("storage"), source, recipients[0]))
        late = max((rule.late for _, rule in fates), default=0.0)
        late += sum(each.delay for each in self._incidents.all_of(self.provider.name, "slow") if each.concerns(source))
        return Outcome(f"250 2.0.0 OK {transaction}", late, cut == "after")

    def complained(self, source: str, sender: str, recipient: str, transaction: str) -> None:
        """A recipient marked a message as spam."""
        verdict = self._verdict(source, COMPLAINT, 0, sender=sender, recipient=recipient, transaction=transaction)
        self._record([verdict])

    def _disturbed(self, source: str, sender: str) -> str | None:
        for incident in self._incidents.all_of(self.provider.name, "blocklist"):
            if incident.concerns(source):
                return self._refuse("blocklisted", source, sender=sender, reply=incident.reply)
        for incident in self._incidents.all_of(self.provider.name, "throttle"):
            within = self.standings.hour.within(source, self._clock.now())
            if incident.concerns(source) and within >= incident.count:
                return self._refuse("rate-limited", source, sender=sender, reply=incident.reply)
        for incident in self._incidents.all_of(self.provider.name, "defer"):
            if incident.concerns(source) and secrets.randbelow(10_000) < incident.share * 10_000:
                return self._refuse("deferred", source, sender=sender, reply=incident.reply)
        return None

    def _fates(self, recipients: Sequence[str], content: bytes) -> tuple[tuple[str, MailboxRule], ...]:
        fates = []
        for recipient in recipients:
            local = recipient.rpartition("@")[0]
            for rule in self._fated:
                # Whether somebody complains depends on the message too, other fates on the address alone.
                key = f"{recipient} {content[:2000]!r}" if rule.complaint and rule.share < 1 else recipient
                if rule.holds(local, key):
                    fates.append((recipient, rule))
                    break
        return tuple(fates)

    def _accepted(
        self,
        source: str,
        ehlo: str,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        found: Outcomes,
        folder: str,
        transaction: str,
        fates: Sequence[tuple[str, MailboxRule]],
        tls: bool,
    ) -> list[Verdict]:
        headers = identifying_headers(content)
        rules = dict(fates)
        at = self._real()
        clock = self._off(at)
        return [
            Verdict(
                at=at,
                provider=self.provider.name,
                source=source,
                verdict=ACCEPTED,
                code=250,
                ehlo=ehlo,
                sender=sender,
                recipient=recipient,
                transaction=transaction,
                message_id=headers.get("message-id", ""),
                send=headers.get("x-postroad-send", ""),
                campaign=headers.get("x-postroad-campaign", ""),
                size=len(content),
                tls=tls,
                spf=found.spf,
                dkim=found.dkim,
                dmarc=found.dmarc.result,
                reverse=found.reverse,
                folder=folder,
                trap=recipient in rules and rules[recipient].trap,
                clock=clock,
                fate=_fate(rules.get(recipient)),
            )
            for recipient in recipients
        ]

    def _beyond(self, limit: Limit | None, count: int) -> bool:
        return limit is not None and count >= limit.count

    def _refused(self, reason: str, limit: Limit | None, source: str, **more: str) -> str:
        return self._refuse(reason, source, reply=limit.reply if limit else None, **more)

    def _refuse(self, reason: str, source: str, *, recipient: str = "", reply: str | None = None, **more: str) -> str:
        text = self._filled(reply or self.provider.reply(reason), source, recipient)
        self._record([self._verdict(source, reason, int(text[:3]), recipient=recipient, **more)])
        return text

    def _filled(self, reply: str, source: str, recipient: str) -> str:
        if "{" not in reply:
            return reply
        shown = _UNPRINTABLE.sub("?", recipient)
        return (
            reply.replace("{source}", source)
            .replace("{domain}", self.provider.domain)
            .replace("{host}", self.provider.mx[0].host)
            .replace("{recipient}", shown)
        )

    def _verdict(self, source: str, verdict: str, code: int, **more: Any) -> Verdict:
        at = self._real()
        return Verdict(
            at=at, provider=self.provider.name, source=source, verdict=verdict, code=code, clock=self._off(at), **more
        )

    def _off(self, at: float) -> float:
        """The world's time, or 0 where it is the real one."""
        now = self._clock.now()
        return now if abs(now - at) > 1 else 0.0

    def _record(self, verdicts: list[Verdict]) -> None:
        assert self._ledger is not None
        self._ledger.append(verdicts)
        for verdict in verdicts:
            self.standings.learn(verdict)
        # What is appended is answered; where a new segment has no space the old one grows.
        with contextlib.suppress(OSError):
            self._ledger.rotate()


def _fate(rule: MailboxRule | None) -> str:
    if rule is None:
        return ""
    return "bounce" if rule.bounce else "complaint" if rule.complaint else ""


def identifying_headers(content: bytes) -> dict[str, str]:
    """Message-ID and Postroad's own, each the first of its name, unfolded and bounded."""
    found: dict[str, str] = {}
    end = content.find(b"\r\n\r\n")
    for name, value in _HEADERS.findall(content[: end + 2 if end >= 0 else None]):
        text = b" ".join(value.split())[:_VALUE_LIMIT].decode("utf-8", "replace")
        found.setdefault(name.lower().decode(), text)
    return found

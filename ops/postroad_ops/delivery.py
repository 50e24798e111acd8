"""Mail through the region from the outside, and what became of it: each message has a number of its own that the
providers count.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from rich.console import Console
from rich.table import Table

from postroad_ops import places
from postroad_ops.door_choice import DoorChoice
from postroad_ops.faults import OperationError
from postroad_ops.front_door import Door

HEADER = "X-Postroad-Send"
CONNECTIONS_PER_HOST = 4
CONNECT_SECONDS = 5.0
REPLY_SECONDS = 20.0
GIVE_UP_SECONDS = 120.0
ATTEMPTS = 30


@dataclass(slots=True)
class Report:
    """What a batch came to.

    Args:
        accepted: answered 250 by an MTA.
        delivered: of those, seen by a provider.
        twice: seen by a provider more than once.
        refused: answered 5xx, by text.
        counted: what the provider's own counter rose by.
        seconds: from the first message to the last delivery.
    """

    batch: str
    asked: int
    accepted: int = 0
    delivered: int = 0
    twice: int = 0
    counted: int = 0
    seconds: float = 0.0
    accept_seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    by_source: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """All accepted, all delivered, none twice."""
        return self.accepted == self.asked == self.delivered and self.twice == 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        # Not asdict: it would hand a Counter pairs, which a Counter counts.
        return {item.name: getattr(self, item.name) for item in fields(self)}


class Providers:
    """The simulated providers' own account, over the socket that the region keeps for the operator."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def accepted(self) -> int:
        """The providers' own count of messages that they accepted."""
        return int(json.loads(self._get("/counts"))["verdicts"].get("accepted", 0))

    def counts(self) -> dict[str, Any]:
        """Verdicts by provider and source."""
        found: dict[str, Any] = json.loads(self._get("/counts"))
        return found

    def distinct(self, batch: str) -> int:
        """How many different messages of a batch have arrived."""
        return int(json.loads(self._get(f"/sends/{batch}"))["distinct"])

    def arrivals(self, batch: str) -> list[dict[str, Any]]:
        """Every accepted copy of a batch's messages."""
        lines = self._get(f"/messages?batch={batch}&verdict=accepted").splitlines()
        return [json.loads(line) for line in lines]

    def reset(self) -> None:
        """Begin again: nothing was sent yet, and nobody has a reputation."""
        self._get("/reset", method="POST")

    def _get(self, path: str, *, method: str = "GET") -> bytes:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise OperationError(f"the providers don't answer ({error})", remedy="run: make up") from None
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise OperationError(f"the providers answer {path} with {answer.status}", remedy="run: make up")
        return content


def providers() -> Providers:
    """The region's providers."""
    run = Path(os.environ.get("POSTROAD_REGION_RUN", "/run/postroad-region"))
    return Providers(run / "world.sock")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("world", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self._path))


def message(
    batch: str, number: int, *, domain: str, sender: str, octets: int, local_part: str = "user"
) -> tuple[str, bytes]:
    """A message with its number, as recipient and wire form."""
    recipient = f"{local_part}-{batch}-{number}@{domain}"
    mail = EmailMessage()
    mail["From"] = f"News <{sender}>"
    mail["To"] = recipient
    mail["Subject"] = f"Message {number} of {batch}"
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{batch}-{number}@{sender.partition('@')[2]}>"
    mail[HEADER] = f"{batch}-{number}"
    line = "The quick brown fox jumps over the lazy dog, over and over again.\n"
    mail.set_content(line * max(1, octets // len(line)))
    return recipient, mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Sender:
    """Submits a batch over several connections to every door, going elsewhere when one doesn't take it.

    Args:
        targets: doors, or addresses of MTAs.
        rate: messages a second at most; None for as fast as they are taken.
        local_part: what recipients' names begin with; the providers treat some in their own ways.

    Attributes:
        accepted_at: when each message was answered 250, in seconds since the first was sent.
    """

    def __init__(
        self,
        targets: Sequence[Door | str],
        *,
        sender: str,
        domain: str,
        octets: int,
        rate: float | None,
        local_part: str = "user",
    ) -> None:
        self._targets = [Door(target) if isinstance(target, str) else target for target in targets]
        self._sender = sender
        self._domain = domain
        self._octets = octets
        self._rate = rate
        self._local_part = local_part
        self._choice = DoorChoice(self._targets)
        self._lock = threading.Lock()
        self._progress = 0.0
        self.accepted_at: list[float] = []
        self._accepted: set[str] = set()
        self._refused: Counter[str] = Counter()

    def send(self, batch: str, count: int) -> tuple[set[str], Counter[str]]:
        """Submit `count` messages; the ids that were answered 250, and refusals by text."""
        numbers: SimpleQueue[tuple[int, int]] = SimpleQueue()
        for number in range(count):
            numbers.put((number, 0))
        began = self._progress = time.monotonic()
        threads = [
            threading.Thread(target=self._work, args=(preferred, batch, numbers, began))
            for preferred in range(len(self._targets))
            for _ in range(CONNECTIONS_PER_HOST)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self._accepted, self._refused

    def _work(self, preferred: int, batch: str, numbers: SimpleQueue[tuple[int, int]], began: float) -> None:
        connection: smtplib.SMTP | None = None
        door = self._targets[preferred]
        while True:
            try:
                number, attempts = numbers.get_nowait()
            except Empty:
                break
            if self._rate:
                time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            recipient, content = message(
                batch,
                number,
                domain=self._domain,
                sender=self._sender,
                octets=self._octets,
                local_part=self._local_part,
            )
            try:
                if connection is None:
                    door = self._choice.choose(preferred)
                    connection = _connect(door)
                connection.sendmail(self._sender, [recipient], content)
                with self._lock:
                    self._accepted.add(f"{batch}-{number}")
                    self._progress = time.monotonic()
                    self.accepted_at.append(self._progress - began)
            except (smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
                self._not_taken(error, number, attempts, numbers)
            except (OSError, smtplib.SMTPException) as error:
                self._choice.shun(door)
                # A door that doesn't open says nothing about the message; it ends only where no door takes anything.
                untried = connection is None and time.monotonic() - self._progress < GIVE_UP_SECONDS
                connection = None
                if untried:
                    numbers.put((number, attempts))
                else:
                    self._not_taken(error, number, attempts, numbers)
                time.sleep(0.2)
        if connection is not None:
            try:
                connection.quit()
            except (OSError, smtplib.SMTPException):
                return

    def _not_taken(self, error: Exception, number: int, attempts: int, numbers: SimpleQueue[tuple[int, int]]) -> None:
        permanent = _code(error) >= 500
        if not permanent and attempts < ATTEMPTS:
            numbers.put((number, attempts + 1))
            return
        with self._lock:
            self._refused[str(error)[:160]] += 1


def _connect(door: Door) -> smtplib.SMTP:
    """A session; a door that is gone is told from one that thinks."""
    if door.name:
        connection: smtplib.SMTP = _NamedSmtpOverTls(door)
    else:
        connection = smtplib.SMTP(door.address, door.port, local_hostname="controller", timeout=CONNECT_SECONDS)
    if connection.sock is not None:
        connection.sock.settimeout(REPLY_SECONDS)
    return connection


class _NamedSmtpOverTls(smtplib.SMTP_SSL):
    """A session with an address whose certificate has a name."""

    def __init__(self, door: Door) -> None:
        self._name = door.name
        super().__init__(
            door.address, door.port, local_hostname="controller", timeout=CONNECT_SECONDS, context=door.tls()
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        return self.context.wrap_socket(plain, server_hostname=self._name)


def _code(error: Exception) -> int:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    return int(getattr(error, "smtp_code", 0))


def send(
    targets: Sequence[Door | str],
    count: int,
    *,
    sender: str,
    domain: str,
    octets: int = 2048,
    rate: float | None = None,
    patience: float = 120.0,
) -> Report:
    """Submit a batch and wait until the providers have all of it, or nothing new for `patience` seconds.

    Raises:
        OperationError: there is no MTA, or the providers don't answer.
    """
    if not targets:
        raise OperationError("no MTA is ready to take mail", remedy="run: make up")
    world = providers()
    before = world.accepted()
    batch = secrets.token_hex(4)
    began = time.monotonic()
    accepted, refused = Sender(targets, sender=sender, domain=domain, octets=octets, rate=rate).send(batch, count)
    report = Report(batch=batch, asked=count, accepted=len(accepted), refused=refused)
    report.accept_seconds = time.monotonic() - began
    progress = time.monotonic()
    while True:
        distinct = world.distinct(batch)
        if distinct > report.delivered:
            report.delivered, progress = distinct, time.monotonic()
        if distinct >= len(accepted) or time.monotonic() - progress > patience:
            break
        time.sleep(0.5)
    report.seconds = time.monotonic() - began
    arrivals = world.arrivals(batch)
    copies = Counter(str(arrival["send"]) for arrival in arrivals)
    report.delivered = len(accepted & copies.keys())
    report.twice = sum(1 for times in copies.values() if times > 1)
    report.by_source = Counter(str(arrival["source"]) for arrival in arrivals)
    report.missing = sorted(accepted - copies.keys())[:20]
    report.counted = world.accepted() - before
    return report


def state_file() -> Path:
    """Where the last report lies."""
    return places.region_state() / "last-send.json"


def show(console: Console, report: Report) -> None:
    """The delivery report."""
    table = Table(box=None, pad_edge=False, show_header=False)
    rate = report.accepted / report.accept_seconds if report.accept_seconds else 0.0
    table.add_row("batch", report.batch)
    table.add_row(
        "accepted", f"{report.accepted:,} of {report.asked:,} in {report.accept_seconds:.1f} s ({rate:,.0f}/s)"
    )
    table.add_row("delivered", f"{report.delivered:,} after {report.seconds:.1f} s")
    table.add_row("twice", f"{report.twice:,}")
    table.add_row("provider's own count", f"{report.counted:,}")
    for source, count in sorted(report.by_source.items()):
        table.add_row("from", f"{source}: {count:,}")
    for text, count in report.refused.most_common(5):
        table.add_row("refused", f"{count:,}: {text}")
    if report.missing:
        table.add_row("missing", ", ".join(report.missing))
    console.print(table)

"""One connection to an MX host: carries events between the wire, SMTP's state machine and the provider's decisions."""

import asyncio
import ssl

import structlog

from postroad_region.world.definition.transport import MxHost, Tls
from postroad_region.world.incidents import Incidents
from postroad_region.world.mailboxes import Mailboxes
from postroad_region.world.smtp import Event, Hello, Mail, Message, Offer, Quit, Receiver, Recipient, StartTls
from postroad_region.world.wire import Wire

log = structlog.get_logger()

_TROUBLE = "451 4.3.0 Try again later"


class Connection:
    """See the module.

    Args:
        tls: None: STARTTLS isn't offered, or (`kind` broken) fails.
    """

    def __init__(
        self,
        wire: Wire,
        mailboxes: Mailboxes,
        mx: MxHost,
        *,
        kind: Tls,
        tls: ssl.SSLContext | None,
        incidents: Incidents,
    ) -> None:
        provider = mailboxes.provider
        self._wire = wire
        self._mailboxes = mailboxes
        self._mx = mx
        self._tls = tls
        self._incidents = incidents
        self._timing = provider.timing
        self._source = wire.peer
        self._ehlo = ""
        self._messages = 0
        self._refusals = 0
        offer = Offer(
            max_size=provider.max_size,
            pipelining=provider.extensions.pipelining,
            chunking=provider.extensions.chunking,
            smtputf8=provider.extensions.smtputf8,
            starttls=kind != "none",
        )
        self._receiver = Receiver(mx.host, provider.banner, offer)

    async def run(self) -> None:
        """Serve until either side ends it."""
        self._mailboxes.connected(self._source)
        try:
            await self._greet()
            await self._converse()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            self._wire.cut()
        finally:
            self._mailboxes.disconnected(self._source)
            self._wire.close()

    async def _greet(self) -> None:
        outage = self._outage()
        if outage == "hang":
            # Taken by the kernel, answered by nobody, until the client has enough or the incident ends.
            while self._outage() == "hang" and await self._hears():
                pass
            raise ConnectionError("the host is out of service")
        if outage == "refuse":
            raise ConnectionError("the host is out of service")
        if self._timing.banner:
            await asyncio.sleep(self._timing.banner)
        refusal = None
        if outage == "421":
            refusal = self._mailboxes.provider.reply("outage").replace("{host}", self._mx.host)
        self._receiver.greet(refusal)
        await self._flush()

    async def _hears(self) -> bool:
        try:
            async with asyncio.timeout(0.5):
                return bool(await self._wire.read())
        except TimeoutError:
            return True

    async def _converse(self) -> None:
        while not self._receiver.closed:
            try:
                octets = await self._wire.read()
            except TimeoutError:
                self._receiver.idle()
                break
            if not octets:
                return
            self._receiver.receive(octets)
            while (event := self._receiver.next_event()) is not None:
                if not await self._handle(event):
                    return
            await self._flush()
        await self._flush()

    async def _handle(self, event: Event) -> bool:
        """Answer one event; False ends the connection."""
        try:
            match event:
                case Message():
                    return await self._message(event)
                case StartTls():
                    await self._secure()
                case Quit():
                    await self._flush()
                case _:
                    refusal = self._decide(event)
                    self._refusals += refusal is not None
                    self._receiver.answer(refusal)
                    await self._pace()
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            # The disk is full: nothing was recorded, so nothing is promised.
            log.error("failed", reason=f"{type(error).__name__}: {error}")
            self._receiver.answer(_TROUBLE)
        return True

    def _decide(self, event: Hello | Mail | Recipient) -> str | None:
        match event:
            case Hello(name):
                self._ehlo = name
                return self._mailboxes.greet(self._source)
            case Mail(sender):
                secure = self._receiver.secure
                return self._mailboxes.sender(self._source, sender, secure=secure, earlier=self._messages)
            case Recipient(sender, address, accepted):
                return self._mailboxes.recipient(self._source, sender, address, earlier=accepted)

    async def _message(self, message: Message) -> bool:
        outcome = await self._mailboxes.message(
            self._source,
            self._ehlo,
            message.sender,
            message.recipients,
            message.content,
            tls=self._receiver.secure,
        )
        late = outcome.late + self._timing.dot
        if late:
            await self._flush()
            await asyncio.sleep(late)
            self._wire.heard()
        if outcome.cut:
            self._wire.cut()
            return False
        accepted = outcome.reply.startswith("250")
        self._messages += accepted
        self._refusals += not accepted
        self._receiver.answer(outcome.reply)
        await self._pace()
        return True

    async def _secure(self) -> None:
        await self._flush()
        if self._tls is None or self._incidents.of(self._mailboxes.provider.name, "tls-failure") is not None:
            await self._wire.fail_handshake()
            raise ConnectionError("TLS is broken here")
        await self._wire.secure(self._tls)
        self._receiver.secured()

    async def _pace(self) -> None:
        """Where the provider takes its time, send each reply alone and late; else they go out together."""
        timing = self._timing
        pause = timing.reply + (timing.tarpit if self._refusals >= timing.tarpit_after else 0.0)
        if pause:
            await asyncio.sleep(pause)
            self._wire.heard()
            await self._flush()

    async def _flush(self) -> None:
        await self._wire.write(self._receiver.data_to_send())

    def _outage(self) -> str | None:
        for incident in self._incidents.all_of(self._mailboxes.provider.name, "outage"):
            if incident.host in (None, self._mx.host) and incident.concerns(self._source):
                return incident.how
        return None

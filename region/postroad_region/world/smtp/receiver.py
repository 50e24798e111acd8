"""A receiving server's side of one connection, without I/O (RFC 5321, 2920, 3030, 3207).

    receiver.receive(octets)
    while (event := receiver.next_event()) is not None:
        receiver.answer(reply_to(event))
    send(receiver.data_to_send())

Each event must be answered before the next is asked for; pipelined commands wait until then.
"""

import re
from dataclasses import dataclass

from postroad_region.world.smtp.commands import SyntaxFaultError, parse_path
from postroad_region.world.smtp.content import ChunkReader, DataReader

# RFC 5321 4.5.3.1.4 asks for 512 octets, extensions for more.
_LINE_LIMIT = 4096
_FAULTS = 20
_ENHANCED = re.compile(r"[245]\.\d+\.\d+(?= )")


@dataclass(frozen=True, slots=True)
class Offer:
    """What EHLO offers; SIZE, 8BITMIME and ENHANCEDSTATUSCODES always."""

    max_size: int
    pipelining: bool = True
    chunking: bool = False
    smtputf8: bool = True
    starttls: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """EHLO or HELO: answer with a refusal, or None to greet back."""

    name: str


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM: answer with a refusal, or None to accept."""

    sender: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """RCPT TO: answer with a refusal, or None to accept."""

    sender: str
    address: str
    accepted: int


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: answer with a reply."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class StartTls:
    """220 was answered: send it, then do the handshake, then call `secured`."""


@dataclass(frozen=True, slots=True)
class Quit:
    """221 was answered: send it and close."""


Event = Hello | Mail | Recipient | Message | StartTls | Quit


class Receiver:
    """See the module.

    Args:
        host: the name it greets with.
        banner: what follows the name.
    """

    def __init__(self, host: str, banner: str, offer: Offer) -> None:
        self._host = host
        self._offer = offer
        self._in = bytearray()
        self._out = bytearray()
        self._reader: DataReader | ChunkReader | None = None
        self._chunks: ChunkReader | None = None
        self._last_chunk = False
        self._pending: Event | None = None
        self._greeted = False
        self._extended = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._faults = 0
        self._banner = banner
        self.secure = False
        self.closed = False

    def greet(self, refusal: str | None = None) -> None:
        """The banner, or a refusal of the connection."""
        self._say(refusal or f"220 {self._host} {self._banner}")

    def receive(self, octets: bytes) -> None:
        """Take what the client sent."""
        self._in += octets

    def data_to_send(self) -> bytes:
        """What to send now."""
        octets = bytes(self._out)
        self._out.clear()
        return octets

    def next_event(self) -> Event | None:
        """The next thing to answer; None: more octets are needed, or nothing more will come."""
        assert self._pending is None, "the last event wasn't answered"
        while not self.closed:
            if self._reader is not None:
                event = self._read_content()
                if self._reader is not None:
                    return None
            else:
                line = self._line()
                if line is None:
                    return None
                event = self._command(line)
            if event is not None:
                if not isinstance(event, StartTls | Quit):
                    self._pending = event
                return event
        return None

    def answer(self, reply: str | None) -> None:
        """Answer the last event; a reply that begins with 421 ends the connection."""
        event, self._pending = self._pending, None
        match event:
            case Hello():
                self._reset()
                self._greeted = reply is None
                self._say(reply or self._greeting())
            case Mail(sender):
                if reply is None:
                    self._sender = sender
                self._say(reply or "250 2.1.0 OK")
            case Recipient(_, address, _):
                if reply is None:
                    self._recipients.append(address)
                self._say(reply or "250 2.1.5 OK")
            case Message():
                self._reset()
                assert reply is not None
                self._say(reply)
            case _:
                raise AssertionError("there is no event to answer")

    def secured(self) -> None:
        """The handshake is done: all is forgotten, what was pipelined behind STARTTLS too (RFC 3207 4.2)."""
        self._in.clear()
        self._reset()
        self._greeted = False
        self.secure = True

    def idle(self) -> None:
        """The client said nothing for too long."""
        self._say(f"421 4.4.2 {self._host} Timeout, closing connection")

    def _line(self) -> bytes | None:
        end = self._in.find(b"\n")
        if end < 0:
            if len(self._in) > _LINE_LIMIT:
                self._say("421 5.5.2 Line too long")
            return None
        line = bytes(self._in[:end])
        del self._in[: end + 1]
        return line.removesuffix(b"\r")

    def _command(self, line: bytes) -> Event | None:
        if len(line) > _LINE_LIMIT:
            self._fault("500 5.5.2 Line too long")
            return None
        verb, _, argument = line.partition(b" ")
        try:
            match verb.upper():
                case b"EHLO" | b"HELO":
                    return self._hello(argument, extended=verb.upper() == b"EHLO")
                case b"MAIL":
                    return self._mail(argument)
                case b"RCPT":
                    return self._rcpt(argument)
                case b"DATA":
                    self._data()
                case b"BDAT" if self._offer.chunking:
                    self._bdat(argument)
                case b"STARTTLS" if self._offer.starttls:
                    return self._starttls(argument)
                case b"RSET":
                    self._reset()
                    self._say("250 2.0.0 OK")
                case b"NOOP":
                    self._say("250 2.0.0 OK")
                case b"VRFY":
                    self._say("252 2.1.5 Send some mail, and see")
                case b"QUIT":
                    self._say("221 2.0.0 Bye")
                    self.closed = True
                    return Quit()
                case _:
                    raise SyntaxFaultError("502 5.5.1 Command not recognized")
        except SyntaxFaultError as fault:
            self._fault(str(fault))
        return None

    def _hello(self, argument: bytes, *, extended: bool) -> Event:
        name = argument.strip().decode("ascii", "replace")
        if not name:
            raise SyntaxFaultError("501 5.5.4 Syntax: EHLO hostname")
        self._extended = extended
        return Hello(name)

    def _mail(self, argument: bytes) -> Event:
        if not self._greeted:
            raise SyntaxFaultError("503 5.5.1 Send EHLO first")
        if self._sender is not None:
            raise SyntaxFaultError("503 5.5.1 There is a sender already")
        path = parse_path(argument, keyword=b"FROM")
        for name, value in path.parameters.items():
            match name:
                case "SIZE":
                    if not value.isdigit() or len(value) > 20:
                        raise SyntaxFaultError("501 5.5.4 SIZE is no number")
                    if int(value) > self._offer.max_size:
                        raise SyntaxFaultError("552 5.3.4 Message too big")
                case "BODY" if value.upper() in ("7BIT", "8BITMIME"):
                    pass
                case "SMTPUTF8" if self._offer.smtputf8:
                    pass
                case _:
                    raise SyntaxFaultError(f"555 5.5.4 Parameter {name[:40]} not implemented")
        return Mail(path.address)

    def _rcpt(self, argument: bytes) -> Event:
        if self._sender is None:
            raise SyntaxFaultError("503 5.5.1 Send MAIL first")
        path = parse_path(argument, keyword=b"TO")
        if not path.address:
            raise SyntaxFaultError("501 5.1.3 A recipient is missing")
        if path.parameters:
            raise SyntaxFaultError(f"555 5.5.4 Parameter {next(iter(path.parameters))[:40]} not implemented")
        return Recipient(self._sender, path.address, len(self._recipients))

    def _data(self) -> None:
        if self._chunks is not None:
            raise SyntaxFaultError("503 5.5.1 DATA after BDAT (RFC 3030 3)")
        if not self._recipients:
            # RFC 5321 3.3: without recipients 503 or 554; a pipelining client must live with either.
            raise SyntaxFaultError("503 5.5.1 No valid recipients")
        self._reader = DataReader(self._offer.max_size)
        self._say("354 Go ahead")

    def _bdat(self, argument: bytes) -> None:
        size, _, last = argument.strip().upper().partition(b" ")
        if not size.isdigit() or len(size) > 12 or last.strip() not in (b"", b"LAST"):
            raise SyntaxFaultError("501 5.5.4 Syntax: BDAT size [LAST]")
        if self._chunks is None:
            self._chunks = ChunkReader(self._offer.max_size)
        self._last_chunk = last.strip() == b"LAST"
        self._chunks.begin(int(size))
        self._reader = self._chunks

    def _starttls(self, argument: bytes) -> Event:
        if argument.strip():
            raise SyntaxFaultError("501 5.5.4 STARTTLS takes no parameters")
        if self.secure:
            raise SyntaxFaultError("503 5.5.1 TLS is active already")
        self._say("220 2.0.0 Ready to start TLS")
        return StartTls()

    def _read_content(self) -> Event | None:
        assert self._reader is not None
        rest = self._reader.receive(bytes(self._in))
        self._in.clear()
        if rest is None:
            return None
        self._in += rest
        reader, self._reader = self._reader, None
        if isinstance(reader, ChunkReader):
            return self._chunk_read(reader)
        return self._complete(reader)

    def _chunk_read(self, reader: ChunkReader) -> Event | None:
        if not self._recipients:
            # RFC 3030 2: the chunk was read, for its octets are on their way whatever is answered.
            self._reset()
            self._say("503 5.5.1 No valid recipients")
            return None
        if not self._last_chunk:
            self._say("250 2.0.0 OK")
            return None
        return self._complete(reader)

    def _complete(self, reader: DataReader | ChunkReader) -> Event | None:
        assert self._sender is not None
        if reader.too_big:
            self._reset()
            self._say("552 5.3.4 Message too big")
            return None
        return Message(self._sender, tuple(self._recipients), reader.content())

    def _reset(self) -> None:
        self._sender = None
        self._recipients = []
        self._chunks = None

    def _fault(self, reply: str) -> None:
        self._faults += 1
        self._say(reply if self._faults < _FAULTS else "421 4.7.0 Too many errors")

    def _greeting(self) -> str:
        if not self._extended:
            return f"250 {self._host}"
        lines = [self._host, f"SIZE {self._offer.max_size}", "8BITMIME"]
        lines += ["SMTPUTF8"] if self._offer.smtputf8 else []
        lines += ["STARTTLS"] if self._offer.starttls and not self.secure else []
        lines += ["PIPELINING"] if self._offer.pipelining else []
        lines += ["CHUNKING"] if self._offer.chunking else []
        return "250 " + "\n".join([*lines, "ENHANCEDSTATUSCODES"])

    def _say(self, reply: str) -> None:
        """Send a reply; its enhanced code stands in every line (RFC 2034 3)."""
        code, text = reply[:3], reply[4:]
        if "\n" in text:
            enhanced = _ENHANCED.match(text)
            repeated = f"{enhanced[0]} " if enhanced else ""
            first, *more = text.split("\n")
            lines = [first, *(repeated + line for line in more)]
            for line in lines[:-1]:
                self._out += f"{code}-{line}\r\n".encode()
            text = lines[-1]
        self._out += f"{code} {text}\r\n".encode()
        if code == "421":
            self.closed = True

"""A message's octets on their way in: by DATA or in chunks, as far as the limits go."""

from postroad.smtp.content import FINAL_DOT, ChunkReader, ContentReader
from postroad.smtp.lines import has_bare_line_ending
from postroad.smtp.parts import Budget, Parts


class ContentError(ValueError):
    """The message can't be taken; the text is the reply."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reply = reply


class Intake:
    """One message at a time.

    Args:
        limit: octets of a message.
        budget: what it shares with other connections.
    """

    __slots__ = ("_chunk", "_chunk_refusal", "_chunked", "_dot", "_limit", "_parts")

    def __init__(self, limit: int, budget: Budget) -> None:
        self._limit = limit
        self._parts = Parts(limit + FINAL_DOT, budget)
        self._dot = ContentReader(self._parts)
        self._chunk = ChunkReader(self._parts)
        self._chunk_refusal: bytes | None = None
        self._chunked = False

    @property
    def octets(self) -> int:
        """What came of the message so far."""
        return self._parts.size

    @property
    def verb(self) -> str:
        """How it comes."""
        return "BDAT" if self._chunked else "DATA"

    @property
    def whole(self) -> bool:
        """Whether what came last ends the message."""
        return not self._chunked or self._chunk.last

    @property
    def chunk_size(self) -> int:
        """Octets of the last chunk."""
        return self._chunk.size

    def reserve(self, octets: int) -> bool:
        """Whether there is room for so many octets about the message, before it comes."""
        return self._parts.reserve(octets)

    def begin_data(self) -> None:
        """What follows ends with a dot."""
        self._chunked = False
        self._chunk_refusal = None
        self._dot.start()

    def begin_chunk(self, size: int, *, last: bool, refusal: bytes | None) -> None:
        """What follows is a chunk; with a refusal it is only counted, as it comes whatever is said (RFC 3030 2)."""
        self._chunked = True
        self._chunk_refusal = refusal
        self._chunk.start(size, last=last)

    def feed(self, data: bytes) -> bytes | None:
        """Take octets; what follows the message or chunk once all of it came, None before."""
        if self._chunked:
            return self._chunk.feed(data, keep=self._chunk_refusal is None)
        return self._dot.feed(data)

    def check(self) -> None:
        """See whether what came is still there. Raises ContentError."""
        if self._chunk_refusal is not None:
            raise ContentError(self._chunk_refusal)
        if self._parts.too_large:
            raise ContentError(b"552 5.3.4 message larger than %d octets" % self._limit)
        if self._parts.no_room:
            raise ContentError(b"452 4.3.1 too much mail is on its way here, try again later")

    def content(self) -> bytes:
        """The message in the wire form of DATA, without the final dot. Raises ContentError."""
        self.check()
        content = self._chunk.content() if self._chunked else self._dot.content()
        if has_bare_line_ending(content):
            raise ContentError(b"550 5.6.0 bare CR or LF in the message (RFC 5321 2.3.8)")
        return content

    def clear(self) -> None:
        """The message is answered, or given up: nothing of it is held."""
        self._parts.clear()

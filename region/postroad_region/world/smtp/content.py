"""The octets of a message: DATA with its dots (RFC 5321 4.5.2), and BDAT chunks (RFC 3030)."""

_END = b"\r\n.\r\n"


class DataReader:
    """Finds the end of DATA, which is CRLF.CRLF alone: a bare LF never ends a line here.

    Args:
        limit: octets kept; beyond, what comes is counted and thrown away.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # As if the line of the DATA command came first: a dot right behind it ends an empty message.
        self._buffer = bytearray(b"\r\n")
        self._searched = 0
        self._thrown = 0

    def receive(self, octets: bytes | bytearray) -> bytes | bytearray | None:
        """Take octets; what follows the end of the message, or None while it isn't there."""
        self._buffer += octets
        end = self._buffer.find(_END, self._searched)
        if end >= 0:
            rest = self._buffer[end + len(_END) :]
            del self._buffer[end + 2 :]
            return rest
        # The last four octets may be the beginning of an end.
        self._searched = max(0, len(self._buffer) - len(_END) + 1)
        if len(self._buffer) > self._limit + len(_END) + 2:
            self._thrown += self._searched
            del self._buffer[: self._searched]
            self._searched = 0
        return None

    @property
    def too_big(self) -> bool:
        """Whether it is beyond the limit."""
        return self._thrown > 0 or len(self._buffer) - 2 > self._limit

    def content(self) -> bytes:
        """The message without the dots added for transport; only when it is complete and not too big."""
        return bytes(self._buffer.replace(b"\r\n..", b"\r\n."))[2:]


class ChunkReader:
    """Collects BDAT chunks of known sizes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._content = bytearray()
        self._missing = 0
        self.too_big = False

    def begin(self, size: int) -> None:
        """A chunk of this size comes."""
        self._missing = size

    def receive(self, octets: bytes | bytearray) -> bytes | bytearray | None:
        """Take octets; what follows the chunk, or None while it isn't complete."""
        taken, rest = octets[: self._missing], octets[self._missing :]
        self._missing -= len(taken)
        if len(self._content) + len(taken) > self._limit:
            self.too_big = True
            self._content.clear()
        elif not self.too_big:
            self._content += taken
        return None if self._missing else rest

    def content(self) -> bytes:
        """All chunks."""
        return bytes(self._content)

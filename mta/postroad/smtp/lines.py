"""Lines: octets in, whole CRLF-terminated lines out."""

from io import IncrementalNewlineDecoder


class LineError(ValueError):
    """The peer's octets are no line that SMTP allows."""


class LineTooLongError(LineError):
    """A line passed the limit before its CRLF came."""


class BareLineEndingError(LineError):
    """A CR or LF stands alone (RFC 5321 2.3.8 forbids it; request smuggling lives on it)."""


class LineBuffer:
    """Cuts a stream into lines (RFC 5321 2.3.8), never holding more than `limit` octets of an unfinished one."""

    __slots__ = ("_at", "_data", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data = b""
        # Where the next line begins: many short lines in one piece cost one copy, not one each.
        self._at = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Add what the peer sent."""
        self._data = self.take() + data if len(self) else data
        self._at = 0

    def take(self) -> bytes:
        """All that is buffered; the buffer is empty afterwards."""
        data = self._data[self._at :] if self._at else self._data
        self._data = b""
        self._at = 0
        return data

    def next_line(self) -> bytes | None:
        """The next line without its CRLF; None until more octets come.

        Raises:
            LineTooLongError: the line is longer than `limit`.
            BareLineEndingError: it holds a CR or LF of its own.
        """
        data, at = self._data, self._at
        if at >= len(data):
            return None
        end = data.find(b"\r\n", at)
        if end < 0:
            rest = self.take()
            self._data = rest
            if len(rest) > self.limit:
                raise LineTooLongError
            if b"\n" in rest or b"\r" in rest[:-1]:
                raise BareLineEndingError
            return None
        if end - at > self.limit:
            raise LineTooLongError
        line = data[at:end]
        self._at = end + 2
        if b"\n" in line or b"\r" in line:
            raise BareLineEndingError
        return line


def has_bare_line_ending(content: bytes) -> bool:
    """Whether a CR or LF stands outside a CRLF pair."""
    # It notes the kinds of line endings that it meets, in one pass of C: a third of what splitting at CRLF takes.
    endings = IncrementalNewlineDecoder(None, translate=False)
    endings.decode(content.decode("latin-1"), final=True)
    return endings.newlines not in (None, "\r\n")

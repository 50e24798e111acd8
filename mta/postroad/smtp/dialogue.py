"""A server's half of a dialogue: what it says, and how much nonsense it puts up with."""

from postroad.smtp.events import CommandRefused, ServerEvent, SessionEnded
from postroad.smtp.limits import ServerLimits


class Dialogue:
    """Replies for the client, and events for the shell that owns the socket.

    Args:
        greeting: what is said first.
    """

    __slots__ = ("_errors", "_events", "_junk", "_limits", "_out", "ended")

    def __init__(self, limits: ServerLimits, greeting: bytes) -> None:
        self._limits = limits
        self._out = [greeting]
        self._events: list[ServerEvent] = []
        self._errors = self._junk = 0
        self.ended = False
        """The last word is said."""

    def data_to_send(self) -> bytes:
        """What to send now; given once."""
        out = self._out
        if not out:
            return b""
        said = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return said

    def _take_events(self) -> list[ServerEvent]:
        events = self._events
        if events:
            self._events = []
            return events
        return []

    def _end(self, line: bytes) -> None:
        """Say a last word, unless one is said."""
        if not self.ended:
            self._out.append(line)
            self.ended = True
            self._events.append(SessionEnded())

    def _refuse_command(self, verb: bytes, reply: bytes) -> None:
        """Say no (without CRLF); who hears it too often is sent away."""
        self._out.append(reply + b"\r\n")
        self._events.append(CommandRefused(verb[:16].decode("ascii", "replace"), reply.decode("ascii", "replace")))
        self._errors += 1
        if self._errors >= self._limits.errors:
            self._end(b"421 4.7.0 too many errors\r\n")

    def _count_junk(self) -> None:
        """A command brought no mail nearer."""
        self._junk += 1
        if self._junk > self._limits.junk:
            self._end(b"421 4.7.0 too many commands without mail\r\n")

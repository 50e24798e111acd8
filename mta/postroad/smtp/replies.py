"""Replies: what a server says, parsed and written (RFC 5321 4.2, RFC 3463)."""

import re
from dataclasses import dataclass

from postroad.smtp.lines import LineBuffer, LineError

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")

MAX_LINE = 4096
MAX_LINES = 200
_KNOWN = 8
_KNOWN_OCTETS = 200


class ReplyError(ValueError):
    """The server's octets are no SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, and the text of each of its lines."""

    code: int
    lines: tuple[str, ...]
    local: bool = False
    """Made on this side to stand for an answer that never came (lost connection, timeout, routing)."""

    @property
    def positive(self) -> bool:
        """The server did it (2yz)."""
        return 200 <= self.code < 300

    @property
    def permanent(self) -> bool:
        """The server will never do it (5yz)."""
        return self.code >= 500

    @property
    def enhanced(self) -> str:
        """The enhanced status code; a generic one of the reply's class if the server gave none (RFC 3463)."""
        match = _ENHANCED.match(self.lines[0]) if self.lines else None
        return match[1] if match else f"{self.code // 100}.0.0"

    @property
    def text(self) -> str:
        """The lines as one, as in a log."""
        return " ".join(self.lines)

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def local_reply(code: int, enhanced: str, text: str) -> Reply:
    """The reply that stands for an answer that never came."""
    return Reply(code, (f"{enhanced} {text}",), local=True)


class ReplyParser:
    """Octets of a server in, whole replies out."""

    __slots__ = ("_code", "_known", "_lines", "_texts")

    def __init__(self) -> None:
        # Most replies of a server are a few, again and again: the first ones on a connection are parsed once.
        self._known: dict[bytes, Reply] = {}
        self._lines = LineBuffer(MAX_LINE)
        self._code = 0
        self._texts: list[str] = []

    @property
    def pending(self) -> bool:
        """Whether octets or lines of an unfinished reply are held."""
        return bool(self._texts) or len(self._lines) > 0

    def feed(self, data: bytes) -> None:
        """Add what the server sent."""
        self._lines.feed(data)

    def next_reply(self) -> Reply | None:
        """The next whole reply; None until more octets come.

        Raises:
            ReplyError: what came is no reply.
        """
        while True:
            try:
                line = self._lines.next_line()
            except LineError as error:
                raise ReplyError(f"no reply line: {type(error).__name__}") from None
            if line is None:
                return None
            if not self._texts and (known := self._known.get(line)) is not None:
                return known
            match = _LINE.fullmatch(line)
            if match is None:
                raise ReplyError(f"no reply line: {line[:80]!r}")
            code = int(match[1])
            if self._texts and code != self._code:
                raise ReplyError(f"reply code changed from {self._code} to {code} between lines")
            text = (match[3] or b"").decode("utf-8", "replace")
            if match[2] == b"-":
                if len(self._texts) >= MAX_LINES:
                    raise ReplyError("a reply without end")
                self._code = code
                self._texts.append(text)
                continue
            if not self._texts:
                reply = Reply(code, (text,))
                if len(self._known) < _KNOWN and len(line) <= _KNOWN_OCTETS:
                    self._known[line] = reply
                return reply
            texts = (*self._texts, text)
            self._texts.clear()
            return Reply(code, texts)

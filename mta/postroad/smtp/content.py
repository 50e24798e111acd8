"""Content: what comes between 354 and the final dot, or in chunks."""

from postroad.smtp.parts import Parts

_END = b"\r\n.\r\n"
FINAL_DOT = 3
"""Octets of the final dot and its CRLF, which `Parts` hold with a message."""


class ContentReader:
    """Finds the final dot of DATA (RFC 5321 4.1.1.4); what comes before goes into `parts`, and the dot with it."""

    __slots__ = ("_parts", "_tail")

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.start()

    def start(self) -> None:
        """A new message begins."""
        # DATA's own CRLF counts: a dot on the first line ends an empty message.
        self._tail = b"\r\n"

    def feed(self, data: bytes) -> bytes | None:
        """Take octets; what follows the final dot once it came, None before.

        Only CRLF, dot, CRLF ends a message: anything else that looks like an end is content (no smuggling).
        """
        tail = self._tail
        end = (tail + data[:4]).find(_END)
        if end >= 0:
            cut = end + 5 - len(tail)
        else:
            # No end lies before the first dot, which is found ten times as fast: encoded attachments have none.
            dot = data.find(b".")
            end = data.find(_END, max(dot - 2, 0)) if dot >= 0 else -1
            if end < 0:
                self._parts.add(data)
                self._tail = data[-4:] if len(data) >= 4 else (tail + data)[-4:]
                return None
            cut = end + 5
        self._parts.add(data[:cut])
        return data[cut:]

    def content(self) -> bytes:
        """The finished message, dot-stuffed as it came, without the final dot."""
        return self._parts.whole(without=FINAL_DOT)


class ChunkReader:
    """Counts the octets of a BDAT chunk (RFC 3030 2), which has no final dot and isn't dot-stuffed."""

    __slots__ = ("_left", "_parts", "last", "size")

    def __init__(self, parts: Parts) -> None:
        self._parts: Parts = parts
        self._left = 0
        self.size = 0
        self.last = False
        """It ends the message."""

    def start(self, size: int, *, last: bool) -> None:
        """A chunk begins."""
        self.size = self._left = size
        self.last = last

    def feed(self, data: bytes, *, keep: bool) -> bytes | None:
        """Take octets, or only count them; what follows the chunk once all of it came, None before."""
        left = self._left
        if left > len(data):
            self._left = left - len(data)
            if keep and data:
                self._parts.add(data)
            return None
        self._left = 0
        if keep and left:
            self._parts.add(data[:left])
        return data[left:]

    def content(self) -> bytes:
        """The finished message in the wire form of DATA: dot-stuffed, and its last line ended."""
        content = self._parts.whole()
        if content and not content.endswith(b"\r\n"):
            content += b"\r\n"
        return dot_stuff(content)


def dot_stuff(content: bytes) -> bytes:
    """The wire form of `content` (CRLF lines): a dot before each line's leading dot (RFC 5321 4.5.2)."""
    if content.startswith(b"."):
        content = b"." + content
    return content.replace(b"\r\n.", b"\r\n..")


def dot_unstuff(content: bytes) -> bytes:
    """The message of a wire form; the inverse of `dot_stuff`."""
    if content.startswith(b"."):
        content = content[1:]
    return content.replace(b"\r\n.", b"\r\n") if b"\r\n." in content else content

"""Content: what comes between 354 and the final dot."""

_END = b"\r\n.\r\n"


class ContentReader:
    """Collects one message up to the final dot (RFC 5321 4.1.1.4), and no more than `limit` octets of it."""

    __slots__ = ("_chunks", "_size", "_tail", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.start()

    def start(self) -> None:
        """A new message begins."""
        self._chunks: list[bytes] = []
        self._size = 0
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
            end = data.find(_END)
            if end < 0:
                self._add(data)
                self._tail = data[-4:] if len(data) >= 4 else (tail + data)[-4:]
                return None
            cut = end + 5
        self._add(data[:cut])
        return data[cut:]

    def take(self) -> bytes | None:
        """The finished message, dot-stuffed as it came, without the final dot; None if it passed the limit."""
        chunks, self._chunks = self._chunks, []
        if self._size > self.limit + 3:
            return None
        content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return content[:-3]

    def _add(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self.limit + 3:
            self._chunks.clear()
        else:
            self._chunks.append(data)


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

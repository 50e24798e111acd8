"""Octets of messages that aren't whole yet, and how many of them there may be."""


class Budget:
    """Octets that unfinished messages of all sessions may hold together."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, octets: int) -> bool:
        """Whether there is room for so many more; they are counted if there is."""
        used = self.used + octets
        if used > self.limit:
            return False
        self.used = used
        return True

    def give_back(self, octets: int) -> None:
        """They are held no more."""
        self.used -= octets


class Parts:
    """The pieces of one unfinished message, as far as `limit` and the budget go; beyond them none is held."""

    __slots__ = ("_budget", "_held", "_parts", "limit", "no_room", "size")

    def __init__(self, limit: int, budget: Budget) -> None:
        self.limit = limit
        self._budget = budget
        self._held = 0
        self._parts: list[bytes] = []
        self.size = 0
        """Octets that came, held or not."""
        self.no_room = False
        """The budget was used up."""

    @property
    def too_large(self) -> bool:
        """It passed the limit."""
        return self.size > self.limit

    def add(self, data: bytes) -> None:
        """Take a piece."""
        self.size += len(data)
        if self.size > self.limit or self.no_room:
            self._drop()
        elif self._budget.take(len(data)):
            self._held += len(data)
            self._parts.append(data)
        else:
            self.no_room = True
            self._drop()

    def reserve(self, octets: int) -> bool:
        """Whether there is room for so many more octets about the message; they are counted with it."""
        if not self._budget.take(octets):
            return False
        self._held += octets
        return True

    def whole(self, *, without: int = 0) -> bytes:
        """All of it but the last octets; it stays counted until `clear`."""
        parts, self._parts = self._parts, []
        # Cut before they are put together, as that is a copy of everything.
        while without and parts:
            last = parts.pop()
            if len(last) > without:
                parts.append(last[:-without])
            without = max(0, without - len(last))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def clear(self) -> None:
        """The message is over: a new one may begin."""
        self._drop()
        self.size = 0
        self.no_room = False

    def _drop(self) -> None:
        if self._held:
            self._parts.clear()
            self._budget.give_back(self._held)
            self._held = 0

"""All ports where mail comes in, as one."""

from collections.abc import Sequence

from postroad.ingress.listener import Listener


class Doors:
    """Opens and closes listeners together.

    Args:
        listeners: may grow until mail is taken.
        grace: seconds that a message on its way has when the doors close.
    """

    def __init__(self, listeners: Sequence[Listener], grace: float) -> None:
        self._listeners = listeners
        self._grace = grace
        self.closed = False
        """New sessions get 421."""

    @property
    def sessions(self) -> int:
        """Open sessions."""
        return sum(listener.sessions for listener in self._listeners)

    def close(self) -> None:
        """Turn new sessions away, and end those that are open."""
        if not self.closed:
            self.closed = True
            for listener in self._listeners:
                listener.turn_away(self._grace)

    def open(self) -> None:
        """Take sessions again."""
        if self.closed:
            self.closed = False
            for listener in self._listeners:
                listener.welcome()

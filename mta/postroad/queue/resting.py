"""Messages at rest: those of which nothing is under way, for somebody who moves them elsewhere."""

from collections import deque
from collections.abc import Callable, Iterable

from postroad.queue.scheduled import ScheduledQueue
from postroad.spool.message import Delivery, Message


def rests(message: Message) -> bool:
    """Whether every delivery of it waits for its time: none is under way, looked up, or being told to the sender."""
    return bool(message.deliveries) and all(delivery.slot is not None for delivery in message.deliveries)


class RestingMessages:
    """What can be taken while no delivery begins, in the order in which it came to rest."""

    def __init__(self, scheduled: ScheduledQueue) -> None:
        self._scheduled = scheduled
        self._messages: deque[Message] = deque()
        self.told: Callable[[], None] = lambda: None
        """Called when a message comes to rest."""

    def begin(self, messages: Iterable[Message]) -> None:
        """No delivery begins from now on; these are there, at rest or not."""
        self._messages = deque(message for message in messages if rests(message))

    def end(self) -> None:
        """Deliveries begin again: nothing can be taken."""
        self._messages.clear()

    def note(self, delivery: Delivery) -> None:
        """A delivery waits: its message may be at rest now."""
        if rests(delivery.message):
            self._messages.append(delivery.message)
            self.told()

    def take(self, wanted: Callable[[Message], bool], *, count: int, octets: int) -> list[Message]:
        """At most `count` messages and, unless it is a single one, at most `octets` together; they wait no longer."""
        taken: list[Message] = []
        size = 0
        for _ in range(len(self._messages)):
            if len(taken) == count:
                break
            message = self._messages.popleft()
            if not rests(message):
                continue  # it comes again when it does
            if not wanted(message):
                self._messages.append(message)
                continue
            if taken and size + message.moved_octets > octets:
                self._messages.appendleft(message)
                break
            for delivery in message.deliveries:
                self._scheduled.remove(delivery)
            taken.append(message)
            size += message.moved_octets
        return taken

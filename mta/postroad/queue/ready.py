"""A ready queue: what waits for a connection to one site, fair between tenants."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from postroad.spool.message import Delivery


class ReadyQueue:
    """Deliveries of each tenant in the order they came; tenants take turns, a message at a time.

    So a tenant with ten messages waits for ten of each other one's, however many those have. Deliveries of one message
    that lie behind each other stay together, as they may go in one transaction.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, deque[Delivery]] = {}
        self._turns: deque[str] = deque()
        """Tenants of which something waits; the first is the next."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Delivery]:
        for waiting in self._tenants.values():
            yield from waiting

    def __getitem__(self, place: int) -> Delivery:
        """What `popleft` would take; only the first place can be seen."""
        if place or not self._count:
            raise IndexError("only the first of a ready queue that isn't empty can be seen")
        return self._tenants[self._turns[0]][0]

    def append(self, delivery: Delivery) -> None:
        """A delivery waits, behind all of its tenant."""
        self._of(delivery.message.tenant).append(delivery)
        self._count += 1

    def extend(self, deliveries: Iterable[Delivery]) -> None:
        """Several wait, in this order."""
        for delivery in deliveries:
            self.append(delivery)

    def appendleft(self, delivery: Delivery) -> None:
        """A delivery that was taken is back, before all others."""
        tenant = delivery.message.tenant
        self._of(tenant).appendleft(delivery)
        self._count += 1
        if self._turns[0] != tenant:
            self._turns.remove(tenant)
            self._turns.appendleft(tenant)

    def extendleft(self, deliveries: Iterable[Delivery]) -> None:
        """Several that were taken are back, the last of them before all others."""
        for delivery in deliveries:
            self.appendleft(delivery)

    def popleft(self) -> Delivery:
        """Take the next one; the turn goes to the next tenant unless more of this message follows.

        Raises:
            IndexError: nothing waits.
        """
        tenant = self._turns[0]
        waiting = self._tenants[tenant]
        delivery = waiting.popleft()
        self._count -= 1
        if not waiting:
            del self._tenants[tenant]
            self._turns.popleft()
        elif waiting[0].message is not delivery.message:
            self._turns.rotate(-1)
        return delivery

    def take(self, wanted: Callable[[Delivery], bool]) -> list[Delivery]:
        """Take all that is wanted; the rest stays as it is."""
        taken = [delivery for delivery in self if wanted(delivery)]
        if taken:
            gone = set(map(id, taken))
            for tenant, waiting in list(self._tenants.items()):
                left = deque(delivery for delivery in waiting if id(delivery) not in gone)
                if left:
                    self._tenants[tenant] = left
                else:
                    del self._tenants[tenant]
                    self._turns.remove(tenant)
            self._count -= len(taken)
        return taken

    def clear(self) -> None:
        """Forget all."""
        self._tenants.clear()
        self._turns.clear()
        self._count = 0

    def _of(self, tenant: str) -> deque[Delivery]:
        waiting = self._tenants.get(tenant)
        if waiting is None:
            waiting = self._tenants[tenant] = deque()
            self._turns.append(tenant)
        return waiting

"""Message bodies in memory: those that will soon be sent, as far as the budget goes."""

from postroad.spool.message import Message


class ResidentContent:
    """Keeps bodies of new messages in memory until their first attempt ends; beyond `limit` octets none is kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._octets = 0

    @property
    def octets(self) -> int:
        """What is held now."""
        return self._octets

    def admit(self, message: Message) -> None:
        """A message is on disk: keep its body if there is room."""
        if self._octets + message.size > self._limit:
            message.content = None
        else:
            self._octets += message.size

    def release(self, message: Message) -> None:
        """The body needn't be in memory any more."""
        if message.content is not None:
            message.content = None
            self._octets -= message.size

"""A flight: what is known of a transaction from the moment it is sent."""

from postroad.smtp.replies import Reply
from postroad.smtp.transaction import Transaction


class Flight:
    """A transaction that has begun to be sent."""

    __slots__ = ("answered", "begun", "body_sent", "chunked", "follows", "replies", "transaction")

    def __init__(self, transaction: Transaction, *, begun: bool, follows: bool) -> None:
        self.transaction = transaction
        self.replies: list[Reply | None] = [None] * len(transaction.recipients)
        self.answered = 0
        self.begun = begun
        """Its end is the server's word on it."""
        self.follows = follows
        """It was sent before the one before had its reply."""
        self.chunked = self.body_sent = False

    @property
    def anyone(self) -> bool:
        """Whether a recipient was accepted."""
        return any(reply is not None and reply.positive for reply in self.replies)

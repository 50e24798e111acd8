"""What goes wrong between the provider and AWS, in words for people."""

import re

_GONE = re.compile(
    r"NotFound$|\.NotFound|NotFoundException$|NotFoundFault$|^NoSuch|NonExistentQueue$|QueueDoesNotExist|ResourceNotFound|NotFoundError$|\.Unknown$|^404$"
)


class ProviderError(Exception):
    """A request that can't be answered; the text is shown to the user as it is."""


class Cancelled(ProviderError):  # noqa: N818 - what happened, not an error of the provider
    """The engine asked to stop."""


class AwsError(ProviderError):
    """AWS refused a call.

    Attributes:
        code: AWS's error code.
    """

    def __init__(self, code: str, message: str, operation: str) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.message = message

    @property
    def gone(self) -> bool:
        """Whether the code says that the resource doesn't exist."""
        return bool(_GONE.search(self.code))


class ReplyLost(ProviderError):  # noqa: N818 - what happened
    """A creating call was sent and the connection broke before the reply: it may have happened, or not."""


class Unreachable(ProviderError):  # noqa: N818 - what happened
    """The endpoint didn't answer within the patience."""


class InitFailed(ProviderError):  # noqa: N818 - the engine's word for it
    """A resource was made but couldn't be brought into the wanted shape.

    Attributes:
        id: of what was made, so that the engine doesn't lose it.
        state: what is known of it.
        inputs: what was wanted.
    """

    def __init__(self, reason: str, identifier: str, state: dict[str, object], inputs: dict[str, object]) -> None:
        super().__init__(reason)
        self.id = identifier
        self.state = state
        self.inputs = inputs

"""What a spool can't do."""


class SpoolError(RuntimeError):
    """The spool could not do it."""


class SpoolFullError(SpoolError):
    """No room on disk; nothing was accepted and nothing is lost."""


class UnreadableError(SpoolError):
    """A message's octets on disk are not what was written."""

"""What stops a build, said in one line."""


class PackageError(Exception):
    """A release can't be built; the message says what, where and what to do."""

"""The error of a key file."""


class KeyFileError(ValueError):
    """A key file can't be used."""

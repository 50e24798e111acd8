"""The bearer token in a file."""

from pathlib import Path

from postroad.content.key_error import KeyFileError


def read_token(file: Path | None) -> str | None:
    """The token in a file; None without one. Raises KeyFileError."""
    if file is None:
        return None
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise KeyFileError(f"token file {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        token = ""
    # With an empty one, who gives none would give the right one.
    if not token.isprintable() or not token or " " in token:
        raise KeyFileError(f"token file {file}: holds no token: one word of printable ASCII is needed")
    return token

"""Which spool this is: a number that no other has, and that stays with the folder."""

import os
import secrets
from pathlib import Path

from postroad.spool.errors import SpoolError
from postroad.spool.segment import sync_folder

SIZE = 16


class SpoolIdentity:
    """The identity of a spool, made and put on disk when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "identity"
        self._known: bytes | None = None

    def __call__(self) -> bytes:
        """The identity.

        Raises:
            SpoolError: its file can't be read or written, or holds something else.
        """
        if self._known is None:
            try:
                self._known = self._read()
            except OSError as error:
                raise SpoolError(f"the spool's identity {self._path}: {error.strerror}") from None
        return self._known

    def _read(self) -> bytes:
        try:
            text = self._path.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return self._make()
        try:
            identity = bytes.fromhex(text)
        except ValueError:
            identity = b""
        if len(identity) != SIZE:
            raise SpoolError(
                f"{self._path} must hold {2 * SIZE} hexadecimal digits: restore it, or remove it if no drain is open"
            )
        return identity

    def _make(self) -> bytes:
        identity = secrets.token_bytes(SIZE)
        fresh = self._path.with_name("identity.new")
        with fresh.open("w", encoding="ascii") as file:
            file.write(identity.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self._path)
        sync_folder(self._path.parent)
        return identity

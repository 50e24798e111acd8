"""The keys that sign, by domain; they are rotated by putting files in place."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad.content.dkim import DkimKey
from postroad.content.key_error import KeyFileError
from postroad.watched import file_stamp


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Where a key lies, and the name it is published under."""

    domain: str
    selector: str
    path: Path


class KeyRing:
    """All DKIM keys: files that are named, and those of a folder, `FOLDER/DOMAIN/SELECTOR.pem`.

    Args:
        owned: whether a domain is a tenant's; nothing else is ever signed.

    Raises:
        KeyFileError: a file can't be used.
    """

    def __init__(self, files: Iterable[KeyFile], folder: Path | None, *, owned: Callable[[bytes], bool]) -> None:
        self._named = tuple(files)
        self._folder = folder
        self._owned = owned
        self._by_domain: dict[bytes, list[DkimKey]] = {}
        # Reading a key proves its primes, which takes some ms: only what changed is read again.
        self._read: dict[KeyFile, tuple[object, DkimKey]] = {}
        self.reload()

    def of(self, domain: bytes) -> Sequence[DkimKey]:
        """The keys of a domain (in lower case), each of which signs."""
        return self._by_domain.get(domain, ())

    def __bool__(self) -> bool:
        return bool(self._by_domain)

    def files(self) -> list[Path]:
        """All files as they are now, and their folder."""
        folder = [self._folder] if self._folder is not None else []
        return [*folder, *(file.path for file in self._key_files())]

    def reload(self) -> None:
        """Read what is new or changed, and forget what is gone. Raises KeyFileError; what was there before stays."""
        if self._folder is not None and not self._folder.is_dir():
            raise KeyFileError(f"DKIM folder {self._folder}: there is no such folder")
        read: dict[KeyFile, tuple[object, DkimKey]] = {}
        by_domain: dict[bytes, list[DkimKey]] = {}
        for file in self._key_files():
            stamp = file_stamp(file.path)
            known = self._read.get(file)
            if known is None or known[0] != stamp:
                known = stamp, self._load(file)
            read[file] = known
            by_domain.setdefault(file.domain.lower().encode("ascii"), []).append(known[1])
        self._read, self._by_domain = read, by_domain

    def _load(self, file: KeyFile) -> DkimKey:
        if not file.domain.isascii() or not self._owned(file.domain.encode("ascii")):
            raise KeyFileError(
                f"DKIM key {file.path}: {file.domain} is no tenant's, so nothing would be signed with it: "
                "add it to the domains of a [tenants.NAME]"
            )
        return DkimKey.load(file.domain, file.selector, file.path)

    def _key_files(self) -> list[KeyFile]:
        found = list(self._named)
        if self._folder is not None:
            paths = sorted(self._folder.glob("*/*.pem"))
            found += [KeyFile(path.parent.name, path.name.removesuffix(".pem"), path) for path in paths]
        return found

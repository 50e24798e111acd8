"""Passwords as scrypt hashes (RFC 7914), in the format of PHC strings."""

import binascii
import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

_FORMAT = re.compile(r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})")
MAX_MEMORY = 64 << 20
"""Octets that one check may take; a hash that needs more is refused."""


class PasswordHashError(ValueError):
    """A text is no hash of a password."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a check costs: about 128 * r * 2**ln octets of memory, and time in proportion to p times that."""

    ln: int = 14
    r: int = 8
    p: int = 5

    @property
    def memory(self) -> int:
        """Octets of one check."""
        return 128 * self.r * (1 << self.ln)


USUAL = Cost()
"""What OWASP's Password Storage Cheat Sheet asks for at least, in the form with the least memory (16 MiB)."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A password's hash."""

    cost: Cost
    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str, cost: Cost = USUAL) -> "PasswordHash":
        """The hash of a password, with a new salt."""
        salt = os.urandom(16)
        return cls(cost, salt, _scrypt(password, salt, cost, 32))

    @classmethod
    def parse(cls, text: str) -> "PasswordHash":
        """A hash from its text.

        Raises:
            PasswordHashError: it is none, or one that would take too much memory.
        """
        match = _FORMAT.fullmatch(text)
        if match is None:
            raise PasswordHashError("no hash as `postroad-mta hash-password` makes it")
        cost = Cost(*(int(match[index]) for index in (1, 2, 3)))
        if not (1 <= cost.ln <= 30 and cost.r and cost.p and cost.memory <= MAX_MEMORY):
            raise PasswordHashError(f"a hash whose check would take {cost.memory} octets; {MAX_MEMORY} are allowed")
        try:
            return cls(cost, _unpadded(match[4]), _unpadded(match[5]))
        except binascii.Error:
            raise PasswordHashError("no hash as `postroad-mta hash-password` makes it") from None

    def verify(self, password: str) -> bool:
        """Whether it is this password's; takes about as long whatever the answer is."""
        digest = _scrypt(password, self.salt, self.cost, len(self.digest))
        return hmac.compare_digest(digest, self.digest)

    def __str__(self) -> str:
        salt, digest = (b64encode(part).decode().rstrip("=") for part in (self.salt, self.digest))
        return f"$scrypt$ln={self.cost.ln},r={self.cost.r},p={self.cost.p}${salt}${digest}"


def _scrypt(password: str, salt: bytes, cost: Cost, length: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=1 << cost.ln, r=cost.r, p=cost.p, maxmem=2 * cost.memory + (1 << 20),
        dklen=length,
    )  # fmt: skip


def _unpadded(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)

"""Identities: names that clients give with AUTH, and whose mail they send."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from postroad.settings.load import SettingsError
from postroad.smtp.sasl import MAX_FIELD
from postroad.tenants.passwords import PasswordHash, PasswordHashError


@dataclass(frozen=True, slots=True)
class Identity:
    """Who may send after AUTH."""

    name: str
    tenant: str
    password: PasswordHash


def read_identities(path: Path, tenants: Collection[str]) -> dict[str, Identity]:
    """The identities of a file, by name.

    A line has a name, the name of its tenant and the hash of its password, with blanks between; lines that begin
    with # and empty ones say nothing.

    Args:
        tenants: the names that there are.

    Raises:
        SettingsError: the file can't be read, or a line can't be used; one problem for each.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: not UTF-8"]) from None
    identities: dict[str, Identity] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            identity = _identity(line, tenants)
        except ValueError as error:
            problems.append(f"{path}: line {number}: {error}")
            continue
        if identity.name in identities:
            problems.append(f"{path}: line {number}: identity {identity.name} is there twice")
        identities[identity.name] = identity
    if problems:
        raise SettingsError(problems)
    return identities


def _identity(line: str, tenants: Collection[str]) -> Identity:
    words = line.split()
    if len(words) != 3:
        raise ValueError("must be an identity, its tenant and the hash of its password")
    name, tenant, text = words
    if len(name.encode()) > MAX_FIELD:
        raise ValueError(f"an identity has at most {MAX_FIELD} octets (RFC 4616)")
    if tenant not in tenants:
        known = ", ".join(sorted(tenants)) or "none"
        raise ValueError(f"there is no [tenants.{tenant}]; known here: {known}")
    try:
        return Identity(name, tenant, PasswordHash.parse(text))
    except PasswordHashError as error:
        raise ValueError(f"identity {name}: {error}") from None

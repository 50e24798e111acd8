"""A tenant: a name, and the domains that its mail may be from."""

from collections.abc import Iterable
from dataclasses import dataclass

WILDCARD = "*."


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who sends, whatever host or identity it uses.

    Args:
        domains: domains of its senders and authors, in lower case as DNS has them.
        parents: domains whose subdomains are all its own; they themselves only if `domains` has them too.
    """

    name: str
    domains: frozenset[bytes]
    parents: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, name: str, domains: Iterable[str]) -> "Tenant":
        """A tenant as the settings write it: "example.com", or "*.example.com" for all below it."""
        names = [domain.lower().encode("ascii") for domain in domains]
        wildcard = WILDCARD.encode()
        return cls(
            name,
            frozenset(domain for domain in names if not domain.startswith(wildcard)),
            frozenset(domain.removeprefix(wildcard) for domain in names if domain.startswith(wildcard)),
        )

    def owns(self, domain: bytes) -> bool:
        """Whether mail may be from a domain, in any case, in ASCII or in UTF-8."""
        name = domain.lower()
        if name in self.domains:
            return True
        if not name.isascii():
            ascii_name = to_ascii(name)
            return ascii_name is not None and self.owns(ascii_name)
        while self.parents and (dot := name.find(b".")) >= 0:
            name = name[dot + 1 :]
            if name in self.parents:
                return True
        return False

    def refusal(self, domain: bytes) -> bytes:
        """The reply to mail from a domain that isn't its own."""
        shown = (
            domain.decode("utf-8", "replace").encode("ascii", "backslashreplace")[:255] or b"an address without domain"
        )
        name = self.name.encode("ascii")
        return (
            b"550 5.7.1 tenant %s doesn't own %s: send from one of its domains, or add it to [tenants.%s] domains"
            % (
                name,
                shown,
                name,
            )
        )


def to_ascii(domain: bytes) -> bytes | None:
    """The A-label form of a domain in UTF-8 (RFC 5890 2.3.2.1); None if it has none that leads back to it."""
    try:
        text = domain.decode("utf-8").lower()
        encoded = text.encode("idna")
        # What maps to another name (a sharp s to ss) isn't that name.
        return encoded if encoded.decode("idna") == text else None
    except UnicodeError:
        return None

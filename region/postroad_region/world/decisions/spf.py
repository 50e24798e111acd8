"""Who may send for a domain (RFC 7208), as a receiver judges it.

Simplified: no macros but in text that isn't used, no `exists` and `ptr`; a record that needs them is a permanent error.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Protocol

_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_LOOKUPS = 10
_VOID_LOOKUPS = 2
_MX_HOSTS = 10


class LookupFailedError(Exception):
    """The DNS gave no answer."""


class Resolver(Protocol):
    """What SPF asks. Names that don't exist have no records; every failure else is a `LookupFailedError`."""

    async def txt(self, name: str) -> Sequence[bytes]:
        """TXT records, the strings of each joined."""

    async def addresses(self, name: str) -> Sequence[str]:
        """A records."""

    async def mail_hosts(self, name: str) -> Sequence[str]:
        """Names of MX records, the preferred first."""

    async def names(self, address: str) -> Sequence[str]:
        """PTR records of an address."""


class _PermanentError(Exception):
    pass


class _Evaluation:
    """One check_host() with the bounds of RFC 7208 4.6.4."""

    def __init__(self, source: IPv4Address, resolver: Resolver) -> None:
        self._source = source
        self._resolver = resolver
        self._lookups = 0
        self._voids = 0

    async def check(self, domain: str) -> str:
        record = await self._record(domain)
        if record is None:
            return "none"
        redirect = ""
        for term in record.split()[1:]:
            name, separator, value = term.partition("=")
            if separator and not set(name) & set(":/"):
                redirect = value if name.lower() == "redirect" else redirect
                continue
            qualifier, mechanism = (term[0], term[1:]) if term[0] in _RESULTS else ("+", term)
            if await self._matches(mechanism, domain):
                return _RESULTS[qualifier]
        if not redirect:
            return "neutral"
        self._count()
        result = await self.check(_plain(redirect))
        if result == "none":
            raise _PermanentError
        return result

    async def _record(self, domain: str) -> str | None:
        records = [text for text in await self._resolver.txt(domain) if text.split(b" ")[0].lower() == b"v=spf1"]
        if len(records) > 1:
            raise _PermanentError
        return records[0].decode("ascii", "replace") if records else None

    async def _matches(self, mechanism: str, domain: str) -> bool:
        head, _, length = mechanism.partition("/")
        name, _, value = head.partition(":")
        match name.lower():
            case "all":
                return True
            case "ip4":
                return self._within(value, length)
            case "ip6":
                return False
            case "include":
                self._count()
                result = await self.check(_plain(value))
                if result == "none":
                    raise _PermanentError
                return result == "pass"
            case "a":
                self._count()
                return await self._is_address_of(_plain(value or domain), length)
            case "mx":
                self._count()
                hosts = await self._resolver.mail_hosts(_plain(value or domain))
                if len(hosts) > _MX_HOSTS:
                    raise _PermanentError
                self._count_void(hosts)
                for host in hosts:
                    if await self._is_address_of(host, length):
                        return True
                return False
            case _:
                raise _PermanentError

    async def _is_address_of(self, name: str, length: str) -> bool:
        addresses = await self._resolver.addresses(name)
        self._count_void(addresses)
        return any(self._within(address, length) for address in addresses)

    def _within(self, address: str, length: str) -> bool:
        try:
            return self._source in IPv4Network(f"{address}/{length.partition('/')[0] or 32}", strict=False)
        except ValueError:
            raise _PermanentError from None

    def _count(self) -> None:
        self._lookups += 1
        if self._lookups > _LOOKUPS:
            raise _PermanentError

    def _count_void(self, found: Sequence[str]) -> None:
        self._voids += not found
        if self._voids > _VOID_LOOKUPS:
            raise _PermanentError


def _plain(name: str) -> str:
    if "%" in name or not name:
        raise _PermanentError
    return name


async def check_host(source: str, domain: str, resolver: Resolver) -> str:
    """The result for a client's address and the domain of MAIL FROM (or of EHLO for `<>`).

    `pass`, `fail`, `softfail`, `neutral`, `none`, `permerror` or `temperror`.
    """
    address = ip_address(source)
    if not isinstance(address, IPv4Address) or "." not in domain:
        return "none"
    try:
        return await _Evaluation(address, resolver).check(domain)
    except _PermanentError:
        return "permerror"
    except LookupFailedError:
        return "temperror"

"""DNS: questions to the host's resolver, answers with their time to live."""

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

T = TypeVar("T")

_ADDRESS_KINDS = {4: dns.rdatatype.A, 6: dns.rdatatype.AAAA}
_HALF_TTL = 30.0
"""Seconds for which addresses of one family hold when the question for the other wasn't answered."""


class Absent(Enum):
    """Why there is no record; both are answers, not failures."""

    NO_DOMAIN = "NXDOMAIN"
    NO_DATA = "NODATA"


class DnsFailure(Exception):  # noqa: N818 - the field's word
    """No answer: timeout, SERVFAIL, refused. It says nothing about the domain."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Records, or why there are none, and for how many seconds this holds."""

    records: tuple[T, ...]
    ttl: float
    absent: Absent | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One MX record; the host is empty for a null MX (RFC 7505)."""

    preference: int
    host: str


class Lookup(Protocol):
    """The questions that routing asks."""

    async def mx(self, domain: str) -> Answer[Exchange]:
        """MX records. Raises DnsFailure."""

    async def addresses(self, host: str) -> Answer[str]:
        """Addresses of a host, of those families that mail leaves by. Raises DnsFailure."""


class Resolver:
    """`Lookup` through dnspython against the given servers, and no others.

    Args:
        servers: `address` or `address:port` of resolvers, asked in order.
        timeout: seconds for one question in all.
        negative_ttl: seconds for which an absence holds whose SOA doesn't say.
        families: the families of addresses that are asked for, 4 and 6.
    """

    def __init__(
        self,
        servers: list[tuple[str, int]],
        *,
        timeout: float = 10.0,
        negative_ttl: float = 60.0,
        families: frozenset[int] = frozenset((4,)),
    ) -> None:
        self._kinds = [kind for family, kind in _ADDRESS_KINDS.items() if family in families]
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.lifetime = timeout
        self._resolver.timeout = min(timeout, 5.0)
        self._resolver.use_edns(0, 0, 1232)
        self._negative_ttl = negative_ttl

    async def mx(self, domain: str) -> Answer[Exchange]:
        """MX records of a domain.

        Raises:
            DnsFailure: no answer.
        """
        answer = await self._ask(domain, dns.rdatatype.MX)
        if isinstance(answer, Answer):
            return answer
        records = tuple(Exchange(rdata.preference, _text(rdata.exchange)) for rdata in answer)
        return Answer(records, float(answer.rrset.ttl if answer.rrset else 0))

    async def addresses(self, host: str) -> Answer[str]:
        """Addresses of a host; those of one family, for a short time, if only the other one fails.

        Raises:
            DnsFailure: no answer, and no address.
        """
        answers = await asyncio.gather(*(self._addresses(host, kind) for kind in self._kinds), return_exceptions=True)
        found: list[Answer[str]] = []
        failure: BaseException | None = None
        for answer in answers:
            if isinstance(answer, Answer):
                found.append(answer)
            else:
                failure = answer
        records = tuple(record for answer in found for record in answer.records)
        if failure is not None and (not records or not isinstance(failure, DnsFailure)):
            raise failure
        if not records:
            return max(found, key=lambda answer: answer.absent is Absent.NO_DOMAIN)
        # That one family has no address is as true as what the other one has.
        ttl = min(answer.ttl for answer in found)
        return Answer(records, ttl if failure is None else min(ttl, _HALF_TTL))

    async def _addresses(self, host: str, kind: dns.rdatatype.RdataType) -> Answer[str]:
        answer = await self._ask(host, kind)
        if isinstance(answer, Answer):
            return answer
        return Answer(tuple(rdata.address for rdata in answer), float(answer.rrset.ttl if answer.rrset else 0))

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer | Answer[Any]:
        try:
            return await self._resolver.resolve(dns.name.from_text(name), kind, search=False)
        except dns.resolver.NXDOMAIN as error:
            return Answer((), self._negative(_nxdomain_response(error)), Absent.NO_DOMAIN)
        except dns.resolver.NoAnswer as error:
            return Answer((), self._negative(error.kwargs.get("response")), Absent.NO_DATA)
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.BadEscape):
            return Answer((), self._negative_ttl, Absent.NO_DOMAIN)
        except (dns.exception.DNSException, OSError) as error:
            raise DnsFailure(f"{name} {kind.name}: {str(error) or type(error).__name__}") from error

    def _negative(self, response: dns.message.Message | None) -> float:
        """RFC 2308 5: the smaller of the SOA's TTL and its minimum."""
        for rrset in response.authority if response is not None else ():
            if rrset.rdtype == dns.rdatatype.SOA:
                return float(min(rrset.ttl, rrset[0].minimum))
        return self._negative_ttl


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if len(name.labels) > 1 else ""


def _nxdomain_response(error: dns.resolver.NXDOMAIN) -> dns.message.Message | None:
    responses: dict[dns.name.Name, dns.message.Message] = error.kwargs.get("responses") or {}
    return next(iter(responses.values()), None)

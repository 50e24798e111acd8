"""dnspython against a name server of our own on loopback: answers, absences and failures stay apart."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from postroad.routing.dns import Absent, DnsFailure, Exchange, Resolver


class NameServer(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text()
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        soa = dns.rrset.from_text("test.", 40, "IN", "SOA", "ns.test. h.test. 1 1 1 1 30")
        match name:
            case "silent.test.":
                return
            case "broken.test.":
                response.set_rcode(dns.rcode.SERVFAIL)
            case "refused.test.":
                response.set_rcode(dns.rcode.REFUSED)
            case "gone.test.":
                response.set_rcode(dns.rcode.NXDOMAIN)
                response.authority.append(soa)
            case "good.test." if question.rdtype == dns.rdatatype.MX:
                response.answer.append(dns.rrset.from_text(name, 77, "IN", "MX", "10 MX1.good.test.", "20 ."))
            case "good.test." if question.rdtype == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(name, 78, "IN", "A", "192.0.2.1", "192.0.2.2"))
            case "good.test." if question.rdtype == dns.rdatatype.AAAA:
                response.answer.append(dns.rrset.from_text(name, 50, "IN", "AAAA", "2001:db8::1"))
            case "half.test." if question.rdtype == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(name, 78, "IN", "A", "192.0.2.1"))
            case "half.test." if question.rdtype == dns.rdatatype.AAAA:
                response.set_rcode(dns.rcode.SERVFAIL)
            case _:
                response.authority.append(soa)
        self.transport.sendto(response.to_wire(), addr)


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    yield Resolver([("127.0.0.1", port)], timeout=2.0)
    transport.close()


@pytest.fixture
async def of_both() -> AsyncIterator[Resolver]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    yield Resolver([("127.0.0.1", port)], timeout=2.0, families=frozenset((4, 6)))
    transport.close()


async def test_records_come_with_their_time_to_live(resolver: Resolver) -> None:
    answer = await resolver.mx("good.test")
    assert (set(answer.records), answer.ttl) == ({Exchange(10, "mx1.good.test"), Exchange(20, "")}, 77)
    addresses = await resolver.addresses("good.test")
    assert (sorted(addresses.records), addresses.ttl) == (["192.0.2.1", "192.0.2.2"], 78)


async def test_absences_are_answers(resolver: Resolver) -> None:
    gone = await resolver.mx("gone.test")
    assert (gone.absent, gone.ttl) == (Absent.NO_DOMAIN, 30)
    empty = await resolver.mx("empty.test")
    assert (empty.absent, empty.ttl) == (Absent.NO_DATA, 30)
    assert (await resolver.mx("a" * 64 + ".test")).absent is Absent.NO_DOMAIN


@pytest.mark.parametrize("domain", ["broken.test", "refused.test", "silent.test"])
async def test_failures_are_not_absences(resolver: Resolver, domain: str) -> None:
    with pytest.raises(DnsFailure, match=domain):
        await resolver.mx(domain)


async def test_addresses_of_both_families_hold_as_long_as_the_shorter_one(of_both: Resolver) -> None:
    answer = await of_both.addresses("good.test")
    assert (sorted(answer.records), answer.ttl) == (["192.0.2.1", "192.0.2.2", "2001:db8::1"], 50)


async def test_a_family_that_fails_leaves_the_other_for_a_short_time(of_both: Resolver) -> None:
    answer = await of_both.addresses("half.test")
    assert (answer.records, answer.ttl) == (("192.0.2.1",), 30)


async def test_no_address_of_any_family_is_an_answer_and_silence_is_none(of_both: Resolver) -> None:
    assert (await of_both.addresses("empty.test")).absent is Absent.NO_DATA
    assert (await of_both.addresses("gone.test")).absent is Absent.NO_DOMAIN
    with pytest.raises(DnsFailure):
        await of_both.addresses("broken.test")

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

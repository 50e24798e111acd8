"""A small world of mail providers on loopback: a name server, and mail hosts that take mail or stall."""

import asyncio
import threading
from collections import Counter
from typing import cast

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

_REPLIES = {b"EHLO": b"250-x\r\n250 PIPELINING\r\n", b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}


def address_of(number: int, *, stalls: bool) -> str:
    return f"127.{2 if stalls else 1}.{number // 250}.{number % 250 + 1}"


class _NameServer(asyncio.DatagramProtocol):
    """Knows good<n>.test and stalled<n>.test, each with a mail host of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text()
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        label = name.split(".")[-3]
        if question.rdtype == dns.rdatatype.MX:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "MX", f"10 mx.{name}"))
        elif question.rdtype == dns.rdatatype.A:
            number = int("".join(filter(str.isdigit, label)))
            address = address_of(number, stalls=label.startswith("stalled"))
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "A", address))
        self.transport.sendto(response.to_wire(), addr)


class _MailHost(asyncio.Protocol):
    def __init__(self, world: "World") -> None:
        self._world = world
        self._buffer = b""
        self._in_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._address = transport.get_extra_info("sockname")[0]
        self._stage = self._world.stage if self._address.startswith("127.2.") else None
        if self._stage != "banner":
            self._transport.write(b"220 hi\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            if self._in_content:
                content, found, self._buffer = self._buffer.partition(b"\r\n.\r\n")
                if not found:
                    self._buffer = content
                    return
                self._in_content = False
                if self._stage == "dot":
                    return
                self._world.taken[self._address] += 1
                self._transport.write(b"250 taken\r\n")
                continue
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                return
            self._buffer = rest
            verb = line.split(b" ")[0]
            if self._stage == verb.decode().lower():
                return
            self._in_content = verb == b"DATA"
            self._transport.write(_REPLIES.get(verb, b"250 ok\r\n"))


class World:
    """The world's servers, in a thread; `taken` counts messages by the address that took them.

    Args:
        stage: where the hosts of stalled<n>.test fall silent: "banner", a verb, or "dot".
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.taken: Counter[str] = Counter()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        names, _ = await self._loop.create_datagram_endpoint(_NameServer, local_addr=("127.0.0.1", 0))
        self.dns_port = names.get_extra_info("sockname")[1]
        server = await self._loop.create_server(lambda: _MailHost(self), "0.0.0.0", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        names.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

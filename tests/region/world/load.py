"""Load for one MX host, to measure the world: `python load.py ADDRESS DOMAIN --source A --messages N --connections C`.

One process; each connection sends a message after the other, MAIL, RCPT and DATA in one flight as an MTA does. Prints
one line of JSON.
"""

import argparse
import asyncio
import json
import time

import uvloop

HEAD = "From: news@postroad.test\r\nTo: {to}\r\nSubject: load\r\nMessage-ID: <{id}@postroad.test>\r\n"
LINE = b"x" * 76 + b"\r\n"


async def reply(reader: asyncio.StreamReader) -> int:
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return int(line[:3])


async def connection(arguments: argparse.Namespace, name: int, count: int) -> int:
    reader, writer = await asyncio.open_connection(arguments.address, 25, local_addr=(arguments.source, 0))
    await reply(reader)
    writer.write(b"EHLO load.postroad.test\r\n")
    await reply(reader)
    body = LINE * (arguments.octets // len(LINE))
    accepted = 0
    for number in range(count):
        to = f"user-{name}-{number}@{arguments.domain}"
        head = HEAD.format(to=to, id=f"{name}.{number}") + f"X-Postroad-Send: load-{name}x{number}\r\n\r\n"
        writer.write(f"MAIL FROM:<news@postroad.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
        codes = [await reply(reader) for _ in range(3)]
        if codes[2] != 354:
            raise SystemExit(f"refused: {codes}")
        writer.write(head.encode() + body + b".\r\n")
        accepted += await reply(reader) == 250
    writer.write(b"QUIT\r\n")
    await reply(reader)
    writer.close()
    return accepted


async def run(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    each = arguments.messages // arguments.connections
    accepted = sum(await asyncio.gather(*(connection(arguments, name, each) for name in range(arguments.connections))))
    seconds = time.monotonic() - began
    print(json.dumps({"accepted": accepted, "seconds": round(seconds, 2), "per_second": round(accepted / seconds)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("domain")
    parser.add_argument("--source", default="198.18.113.5")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--octets", type=int, default=2048)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

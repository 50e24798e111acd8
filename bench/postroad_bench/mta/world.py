"""A world of many domains and sites on loopback: an authoritative nsd, and an address for each site's mail host."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from postroad_ops.faults import OperationError

from postroad_bench.mta.packages import install
from postroad_bench.mta.server import free_port, last_words, process, running

SITES = 100
FIRST_ADDRESS = "127.0.1.1"
ADDRESSES = tuple(f"127.0.1.{number}" for number in range(1, SITES + 1))
_CONFIG = """\
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: bench.test
  zonefile: "{folder}/zone"
"""


@contextlib.contextmanager
def name_server(folder: Path) -> Iterator[int]:
    """Answers that mail of every domain of s<n>.bench.test goes to a host of that site alone; the server's port.

    Raises:
        OperationError: nsd isn't here, or doesn't answer.
    """
    if (why := install("nsd")) is not None:
        raise OperationError(f"no name server: {why}", remedy="run: make env")
    port = free_port()
    log = folder / "nsd.log"
    (folder / "zone").write_text("\n".join(zone()) + "\n")
    config = folder / "nsd.conf"
    config.write_text(_CONFIG.format(port=port, folder=folder))
    with process(["nsd", "-d", "-c", str(config)], log=log, cwd=folder) as pid:
        deadline = time.monotonic() + 10
        while not _answers(port):
            if time.monotonic() > deadline or not running(pid):
                raise OperationError(f"nsd doesn't answer: {last_words(log)}", remedy="try again")
        yield port


def zone() -> Sequence[str]:
    """The lines of zone bench.test."""
    lines = ["$ORIGIN bench.test.", "$TTL 3600", "@ SOA ns hostmaster 1 3600 600 86400 60", "@ NS ns", "ns A 127.0.0.1"]
    for number, address in enumerate(ADDRESSES):
        lines += [f"*.s{number} MX 10 mx.s{number}", f"mx.s{number} A {address}"]
    return lines


def routing(dns: int, port: int) -> Sequence[str]:
    """The lines of our MTA's `[routing]` in this world, whose mail hosts listen on `port`; sections behind it."""
    return [f"port = {port}", "[dns]", f'servers = ["127.0.0.1:{dns}"]']


def _answers(port: int) -> bool:
    # MX of d0.s0.bench.test, recursion desired (RFC 1035 4.1).
    name = b"".join(bytes([len(label)]) + label for label in (b"d0", b"s0", b"bench", b"test")) + b"\0"
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", 15, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        asking.settimeout(0.2)
        asking.connect(("127.0.0.1", port))
        asking.send(query)
        answer = asking.recv(512)
        return len(answer) > 12 and answer[3] & 0x0F == 0 and answer[6:8] != b"\0\0"
    return False

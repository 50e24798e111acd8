"""The world's process: every provider, and HTTP to ask and to steer."""

import asyncio
import contextlib
import os
import signal
import socket
from pathlib import Path

import structlog

from postroad_region.world.definition import load_world
from postroad_region.world.http import serve
from postroad_region.world.internet import Internet
from postroad_region.world.lookups import Lookups
from postroad_region.world.operator import Operator

log = structlog.get_logger()


async def run(*, file: Path, state: Path, ca: Path, http: str, dns: str) -> None:
    """Be the world until SIGTERM or SIGINT; connections are cut then, what was answered is in the ledger.

    Raises:
        RegionError: the file is wrong, the ledger can't be read, or an address isn't there.
    """
    world = load_world(file)
    internet = Internet(world, state=state, ca=ca, resolver=Lookups(dns))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback((await serve(http, Operator(internet).respond)).close)

        def ready() -> None:
            log.info("serving", providers=[each.name for each in world.providers], http=http, dns=dns, day=world.day)
            _notify("READY=1")

        await internet.run(stop, ready)
        _notify("STOPPING=1")
        log.info("stopping")


def _notify(state: str) -> None:
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.sendto(state.encode(), path)

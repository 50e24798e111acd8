"""A worker: an MTA whose sockets come from its supervisor."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from pathlib import Path

from postroad.events.log import EventLog
from postroad.mta import Mta
from postroad.settings.mta import MtaSettings
from postroad.spool.lock import SpoolInUseError
from postroad.workers.channel import AdminConnection, Authentication, Ready, Start, hear_supervisor, say
from postroad.workers.share import settings_of_worker

EXIT_ALONE = 75
"""EX_TEMPFAIL: the supervisor died."""
_LOCK_PATIENCE = 3.0
"""Seconds that a worker of a supervisor before this one may take to end."""
_POLL = 0.2


class Worker:
    """Runs one MTA as the supervisor says, and ends with it.

    Args:
        channel: the worker's end, not blocking.
    """

    def __init__(self, settings: MtaSettings, channel: socket.socket, log: EventLog) -> None:
        self._settings = settings
        self._channel = channel
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._mta: Mta | None = None
        self._early: list[socket.socket] = []

    async def run(self) -> None:
        """Serve until SIGTERM, or until the spool of a retiring worker is empty.

        Raises:
            SpoolInUseError, OSError, KeyFileError: as the MTA's parts do.
        """
        start, listening = await self._first()
        spool = Path(start.spool)
        settings = settings_of_worker(self._settings, start.workers, start.number)
        settings = settings.model_copy(update={"spool": settings.spool.model_copy(update={"path": spool})})
        self._log.always = {"worker": start.number}
        self._loop.add_reader(self._channel.fileno(), self._hear)
        self._mta = mta = await self._take_spool(settings)
        for connection in self._early:
            await self._attach(connection)
        if start.retiring:
            self._end_when_empty(mta)
        await mta.serve(listening, on_ready=lambda: say(self._channel, Ready()))

    async def _first(self) -> tuple[Start, list[socket.socket]]:
        arrived = asyncio.Event()
        self._loop.add_reader(self._channel.fileno(), arrived.set)
        await arrived.wait()
        self._loop.remove_reader(self._channel.fileno())
        heard = hear_supervisor(self._channel)
        if heard is None or not isinstance(heard[0], Start):
            os._exit(EXIT_ALONE)
        return heard[0], heard[1]

    async def _take_spool(self, settings: MtaSettings) -> Mta:
        began = time.monotonic()
        while True:
            try:
                return Mta(settings, self._log, authenticated=self._tell)
            except SpoolInUseError:
                if time.monotonic() > began + _LOCK_PATIENCE:
                    raise
                await asyncio.sleep(_POLL)

    def _tell(self, address: str, identity: str, right: bool) -> None:
        """A password was checked; the other workers may miss it, the mail doesn't wait for them."""
        with contextlib.suppress(OSError):
            say(self._channel, Authentication(address, identity, right))

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            heard = hear_supervisor(self._channel)
            if heard is None:
                # Nobody would start us again or tell us to stop. What is on disk is safe, as after any kill.
                self._log.flush()
                os._exit(EXIT_ALONE)
            message, sockets = heard
            if isinstance(message, Authentication) and self._mta is not None:
                self._mta.authenticated_elsewhere(message.address, message.identity, right=message.right)
            if isinstance(message, AdminConnection):
                for connection in sockets:
                    if self._mta is None:
                        self._early.append(connection)
                    else:
                        self._loop.create_task(self._attach(connection))

    async def _attach(self, connection: socket.socket) -> None:
        assert self._mta is not None
        await self._loop.connect_accepted_socket(self._mta.admin.trusting_protocol, connection)

    def _end_when_empty(self, mta: Mta) -> None:
        if mta.empty:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._loop.call_later(1.0, self._end_when_empty, mta)

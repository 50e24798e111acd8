"""The supervisor: opens the ports, keeps the workers running, and answers operators for all of them."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from postroad.admin.access import admin_access
from postroad.admin.http import AdminServer
from postroad.counters import Counter
from postroad.listen import Ports
from postroad.metrics import admin_certificate_expiry
from postroad.mta import largest_batch
from postroad.settings.mta import MtaSettings
from postroad.systemd import Watchdog, notify
from postroad.watched import Reloader, WatchedFiles
from postroad.workers.admin import worker_routes
from postroad.workers.channel import AdminConnection, Authentication, Start, hear_worker, new_channel, say
from postroad.workers.client import NoAnswerError, WorkerAnswer, ask
from postroad.workers.handover import settings_file
from postroad.workers.partition import left_over, partition

_FROM_SERVICE_MANAGER = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
_STEADY = 60.0
"""Seconds after which a worker that ends is one that ran well."""
_LONGEST_PAUSE = 30.0


def pause_before(failures: int) -> float:
    """Seconds until a worker is started again that failed so often in a row."""
    return min(_LONGEST_PAUSE, 0.5 * 2.0 ** min(max(0, failures - 1), 16))


class WorkerFailedError(RuntimeError):
    """A worker ended before it was ready; it has said why."""

    def __init__(self, status: int) -> None:
        super().__init__("a worker could not start, see the line above")
        self.status = status if status > 0 else 1


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """One worker as the supervisor sees it."""

    number: int
    spool: Path
    retiring: bool
    process: asyncio.subprocess.Process | None = None
    channel: socket.socket | None = None
    ready: bool = False
    began: float = 0.0
    failures: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Runs `settings.workers` processes, and one more for each partition that is left of a time with more of them.

    A worker that is started again gets the settings of the first time, whatever the file says by then.
    """

    def __init__(self, settings: MtaSettings, log: Any) -> None:
        self._settings = settings
        self._file = settings_file(settings)
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self.registry = CollectorRegistry()
        """What is counted here and not by the workers."""
        self._restarts = Counter(
            "postroad_mta_worker_restarts", "Workers that ended and were started again.", registry=self.registry
        )
        spool = settings.spool.path
        extra = left_over(spool, settings.workers)
        self._workers = [
            WorkerProcess(number, partition(spool, number), number in extra)
            for number in (*range(1, settings.workers + 1), *extra)
        ]

    @property
    def workers(self) -> list[int]:
        """The numbers of those that run, retiring ones included."""
        return [worker.number for worker in self._workers]

    async def run(self, ports: Ports) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            WorkerFailedError: a worker could not start.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._settings.spool.path.mkdir(mode=0o700, exist_ok=True)
        server = self._admin_server()
        admin = await self._loop.create_server(server.protocol, sock=ports.admin)
        keepers = [self._loop.create_task(self._keep(worker, ports)) for worker in self._workers]
        ready = self._loop.create_task(self._all_up())
        stopped = self._loop.create_task(self._stopping.wait())
        try:
            await asyncio.wait([*keepers, ready, stopped], return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                notify("READY=1")
                Watchdog(self._loop)
                self._log.info("started", workers=len(self._workers), pid=os.getpid())
                await _until(stopped, keepers)
        finally:
            notify("STOPPING=1")
            self._stopping.set()
            ready.cancel()
            self._tell_all_to_stop()
            results = await asyncio.gather(*keepers, return_exceptions=True)
            admin.close()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _admin_server(self) -> AdminServer:
        access = admin_access(self._settings.admin)
        if (certificate := access.certificate) is not None:
            what = f"certificate {certificate.chain}"
            Reloader(self._loop, self._log).watch(WatchedFiles(what, lambda: certificate.files, certificate.reload))
            admin_certificate_expiry(self.registry).set_function(lambda: certificate.expires)
        routes = worker_routes(self, max_batch=largest_batch(self._settings))
        return AdminServer(routes, access, self._log)

    async def ask(self, number: int, method: str, target: str, body: bytes | bytearray, seconds: float) -> WorkerAnswer:
        """Have a worker answer a request.

        Raises:
            NoAnswerError: it doesn't.
        """
        worker = next(item for item in self._workers if item.number == number)
        if worker.channel is None:
            raise NoAnswerError("is being started")
        ours, theirs = socket.socketpair()
        try:
            say(worker.channel, AdminConnection(), [theirs])
        except OSError as error:
            ours.close()
            raise NoAnswerError(str(error)) from None
        finally:
            theirs.close()
        ours.setblocking(False)
        return await ask(ours, method, target, body, seconds)

    def facts(self) -> list[dict[str, Any]]:
        """The workers, for people."""
        return [
            {
                "worker": worker.number,
                "pid": worker.process.pid if worker.process else None,
                "ready": worker.ready,
                "retiring": worker.retiring,
                "failures": worker.failures,
            }
            for worker in self._workers
        ]

    async def _all_up(self) -> None:
        for worker in list(self._workers):
            await worker.up.wait()

    async def _keep(self, worker: WorkerProcess, ports: Ports) -> None:
        """Run a worker, again and again, until the end."""
        while not self._stopping.is_set():
            status = await self._run_once(worker, ports)
            if self._stopping.is_set():
                return
            if worker.retiring and status == 0:
                self._log.info("worker_retired", worker=worker.number)
                self._workers.remove(worker)
                worker.up.set()
                return
            if not worker.up.is_set():
                raise WorkerFailedError(status)
            worker.failures = 1 if time.monotonic() > worker.began + _STEADY else worker.failures + 1
            pause = pause_before(worker.failures)
            self._restarts.inc()
            self._log.error("worker_ended", worker=worker.number, status=status, again_in=pause)
            try:
                await asyncio.wait_for(self._stopping.wait(), pause)
            except TimeoutError:
                continue

    async def _run_once(self, worker: WorkerProcess, ports: Ports) -> int:
        ours, theirs = new_channel()
        variables = {key: value for key, value in os.environ.items() if key not in _FROM_SERVICE_MANAGER}
        worker.began = time.monotonic()
        descriptors = [theirs.fileno(), self._file]
        worker.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "postroad.workers.command", *map(str, descriptors),
            pass_fds=descriptors, env=variables,
        )  # fmt: skip
        theirs.close()
        ours.setblocking(False)
        worker.channel = ours
        listening = [] if worker.retiring else ports.listeners
        start = Start(worker.number, len(self._workers), str(worker.spool), worker.retiring)
        try:
            say(ours, start, listening)
            self._loop.add_reader(ours.fileno(), self._hear, worker, ours)
            if self._stopping.is_set():
                worker.process.terminate()
        except OSError:
            worker.process.kill()
        try:
            return await worker.process.wait()
        finally:
            self._loop.remove_reader(ours.fileno())
            worker.channel, worker.process, worker.ready = None, None, False
            ours.close()

    def _hear(self, worker: WorkerProcess, channel: socket.socket) -> None:
        try:
            heard = hear_worker(channel)
        except BlockingIOError:
            return
        except OSError:
            heard = None
        if heard is None:
            self._loop.remove_reader(channel.fileno())  # its end is noticed by who waits for it
            return
        if isinstance(heard, Authentication):
            self._pass_on(worker, heard)
            return
        worker.ready = True
        worker.up.set()

    def _pass_on(self, origin: WorkerProcess, message: Authentication) -> None:
        """Let the other workers know; who doesn't listen just then misses it."""
        for worker in self._workers:
            if worker is not origin and worker.channel is not None:
                with contextlib.suppress(OSError):
                    say(worker.channel, message)

    def _tell_all_to_stop(self) -> None:
        for worker in self._workers:
            if worker.process is not None and worker.process.returncode is None:
                worker.process.terminate()


async def _until(stopped: asyncio.Task[Any], keepers: list[asyncio.Task[None]]) -> None:
    """Return when it is time to stop, or when a keeper fails; those of retired workers just end."""
    pending: set[asyncio.Task[Any]] = {stopped, *keepers}
    while not stopped.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(task.exception() is not None for task in done):
            return

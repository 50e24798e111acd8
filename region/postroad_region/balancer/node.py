"""One node of a balancer: its HAProxy, made to have the right configuration without dropping connections."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import structlog

from postroad_region.atomic_file import write_atomically
from postroad_region.balancer.configuration import (
    Files,
    certificate_name,
    configuration,
    health_file,
    up_in,
)
from postroad_region.balancer.model import Balancer, Node
from postroad_region.balancer.statistics import (
    Sighting,
    Worker,
    ask,
    description_in,
    parse_processes,
    parse_sessions,
    parse_statistics,
)
from postroad_region.command import run
from postroad_region.errors import RegionError
from postroad_region.process import Command, Process

log = structlog.get_logger("balancer")

RELOAD_SECONDS = 10.0


class NodeServer:
    """The HAProxy of one node; every method may be called at any time, by whichever daemon.

    Args:
        name: of the node and its network namespace.
        state_dir: its folder is made there; configuration and certificates.
        run_dir: gets sockets; keep it short, sockets' names end at 107 octets.
        prefix: runs a command in the node's network namespace.
    """

    def __init__(self, name: str, *, state_dir: Path, run_dir: Path, prefix: Sequence[str]) -> None:
        self.name = name
        self._folder = state_dir.absolute() / name
        self._prefix = tuple(prefix)
        run_dir = run_dir.absolute()
        self._master = run_dir / f"{name}.master"
        self._files = Files(run_dir / f"{name}.stats", self._folder / "health", self._folder / "certificates")
        self._config = self._folder / "haproxy.cfg"
        self.process = Process(name, run_dir=run_dir, log_file=self._folder / "haproxy.log")

    def apply(self, balancer: Balancer, node: Node) -> None:
        """Have it listen and forward as the balancer says; connections stay.

        Raises:
            RegionError: HAProxy isn't installed, refuses the configuration, or can't listen.
        """
        self._files.certificates.mkdir(parents=True, exist_ok=True)
        wanted = {certificate_name(pem): pem for listener in balancer.listeners for pem in listener.certificates}
        for name, pem in wanted.items():
            if not (file := self._files.certificates / name).exists():
                write_atomically(file, pem, mode=0o600)
        text = configuration(balancer, node, self._files)
        if not self._config.exists() or self._config.read_text() != text:
            candidate = self._config.with_name("candidate.cfg")
            write_atomically(candidate, text)
            run(["haproxy", "-c", "-q", "-f", str(candidate)], timeout=20)
            candidate.replace(self._config)
        if self.process.running() is None or self._loaded() != _digest_in(text):
            self._remember(balancer, node)
            if not self.process.ensure(self._command()):
                self._reload(_digest_in(text))
        else:
            self.process.ensure(self._command())
        for file in self._files.certificates.iterdir():
            if file.name not in wanted:
                file.unlink()

    def sightings(self) -> dict[tuple[str, str], Sighting] | None:
        """What it sees of its targets, by backend and target; None if it doesn't answer."""
        try:
            return parse_statistics(ask(self._master, ["@1 show stat"]))
        except OSError:
            return None

    def accept(self, backend: str, target: str) -> None:
        """Send connections to a target from now on: its first probe passed.

        Raises:
            OSError: HAProxy doesn't answer.
        """
        ask(self._master, [f"@1 set server {backend}/{target} health up"])

    def cut(self, targets: Collection[tuple[str, str]]) -> None:
        """Close all connections to targets, given by backend and name; those of before a reload too.

        Raises:
            OSError: HAProxy doesn't answer.
        """
        for worker in self.workers():
            sessions = ask(self._master, [f"@!{worker.pid} show sess"])
            # One by one: a worker of before a reload refuses `shutdown sessions server`.
            for session in parse_sessions(sessions, targets):
                ask(self._master, [f"@!{worker.pid} shutdown session {session}"])

    def workers(self) -> list[Worker]:
        """The processes that hold connections.

        Raises:
            OSError: HAProxy doesn't answer.
        """
        return parse_processes(ask(self._master, ["show proc"]))

    def remember(self, balancer: Balancer, node: Node, up: frozenset[tuple[str, str]]) -> None:
        """Keep who is up for a worker that must start from nothing."""
        text = health_file(balancer.groups, node.zone, up)
        if not self._files.health.exists() or self._files.health.read_text() != text:
            write_atomically(self._files.health, text)

    def stop(self) -> None:
        """End it with its connections."""
        self.process.stop(deadline=2.0)
        for file in (self._master, self._files.control):
            file.unlink(missing_ok=True)

    def _command(self) -> Command:
        return Command(
            ["haproxy", "-Ws", "-S", f"{self._master},mode,600", "-f", str(self._config)], self._prefix, notify=True
        )

    def _loaded(self) -> str:
        try:
            return description_in(ask(self._master, ["@1 show info"]))
        except OSError:
            return ""

    def _remember(self, balancer: Balancer, node: Node) -> None:
        """What is seen now, or was when it last could be."""
        seen = self.sightings()
        if seen is None:
            up = up_in(self._files.health.read_text()) if self._files.health.exists() else frozenset()
        else:
            up = frozenset(key for key, sighting in seen.items() if sighting.up)
        self.remember(balancer, node, up)

    def _reload(self, digest: str) -> None:
        self.process.signal(signal.SIGUSR2)
        deadline = time.monotonic() + RELOAD_SECONDS
        while self._loaded() != digest:
            if time.monotonic() > deadline:
                raise RegionError(f"{self.name}: HAProxy didn't take its configuration", remedy=f"see {self._folder}")
            time.sleep(0.02)
        log.info("reloaded", node=self.name)


def _digest_in(text: str) -> str:
    return next(line.split()[1] for line in text.splitlines() if line.startswith("    description "))

"""Balancers with real HAProxy in namespaces of their own: a router between client, node and targets."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from postroad_region.balancer.balancers import Balancers
from postroad_region.balancer.model import Balancer, HealthCheck, Listener, Node, Target, TargetGroup
from postroad_region.fabric.namespace import listen_in
from postroad_region.paths import Paths

from tests.region.conftest import Namespace

ARN = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/mta/00112233"
GROUP = "tg_00112233"
ZONE = "us-east-1a"


def eventually(condition: Callable[[], object], *, seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.05)


@dataclass
class FakeTarget:
    """A target on an address of a namespace: it says its name, echoes, and answers probes as it is told."""

    namespace: str
    name: str
    address: str
    port: int = 587
    ready: int = 200
    heads: list[bytes] = field(default_factory=list)
    probes: list[bytes] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def start(self) -> None:
        for port, answer in ((self.port, self._serve), (8025, self._probe)):
            listener = listen_in(self.namespace, self.address, port)
            self.sockets.append(listener)
            threading.Thread(target=self._accept, args=(listener, answer), daemon=True).start()

    def stop(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"220 {self.name}\r\n".encode())
            first = True
            while data := connection.recv(4096):
                if first:
                    self.heads.append(data)
                first = False
                if not data.startswith(b"\r\n\r\n\0"):
                    connection.sendall(data[-2:])

    def _probe(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            asked = b""
            while b"\r\n\r\n" not in asked.removeprefix(b"\r\n\r\n\0\r\nQUIT\n") and (data := connection.recv(4096)):
                asked += data
            self.probes.append(asked)
            connection.sendall(f"HTTP/1.1 {self.ready} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


@dataclass
class Place:
    """One namespace that holds a node's address and its targets', and the balancers that run in it."""

    namespace: Namespace
    paths: Paths
    changes: list[float] = field(default_factory=list)
    targets: list[FakeTarget] = field(default_factory=list)
    node: Node = field(default_factory=lambda: Node("nlb-test", ZONE, IPv4Address("10.20.16.5")))

    def balancers(self) -> Balancers:
        return Balancers(
            self.paths,
            lambda: self.changes.append(time.monotonic()),
            enter=lambda _: self.namespace.prefix,
            # Those of the machine aren't this test's.
            namespaces=self.paths.cache,
        )

    def target(self, number: int, *, ready: int = 200) -> FakeTarget:
        made = FakeTarget(self.namespace.name, f"t{number}", f"10.20.0.{number}", ready=ready)
        made.start()
        self.targets.append(made)
        return made

    def balancer(self, *targets: FakeTarget, listeners: tuple[Listener, ...] = (), **group: object) -> Balancer:
        registered = group.pop("registered", time.time())
        check = group.pop("check", HealthCheck("HTTP", 8025, "/ready", "200", interval=1, timeout=1, rise=2, fall=2))
        return Balancer(
            arn="arn",
            name="front",
            dns_name="front-1.elb.us-east-1.amazonaws.com",
            nodes=(self.node,),
            listeners=listeners or (Listener(587, "TCP", ARN),),
            groups=(
                TargetGroup(
                    ARN,
                    tuple(Target(t.name, IPv4Address(t.address), t.port, ZONE, registered) for t in targets),  # type: ignore[arg-type]
                    check=check,  # type: ignore[arg-type]
                    **group,  # type: ignore[arg-type]
                ),
            ),
        )

    def connect(self, port: int = 587) -> socket.socket:
        result: list[socket.socket | OSError] = []

        def run() -> None:
            with open(f"/run/netns/{self.namespace.name}") as file:
                import ctypes

                libc = ctypes.CDLL(None, use_errno=True)
                libc.setns(file.fileno(), 0x40000000)
            try:
                result.append(socket.create_connection((str(self.node.address), port), timeout=10))
            except OSError as error:
                result.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(result[0], OSError):
            raise result[0]
        return result[0]

    def answered_by(self, port: int = 587) -> str:
        """Which target a new connection gets; empty if it is closed."""
        with self.connect(port) as connection:
            return greeting(connection)


def greeting(connection: socket.socket) -> str:
    try:
        return connection.recv(100).decode().removeprefix("220 ").strip()
    except OSError:
        return ""


@pytest.fixture
def place(make_namespace: Callable[..., Namespace]) -> Iterator[Place]:
    if shutil.which("haproxy") is None:
        pytest.skip("haproxy isn't installed")
    namespace = make_namespace("10.20.16.5", *(f"10.20.0.{n}" for n in range(1, 5)))
    folder = Path(tempfile.mkdtemp(prefix="prt-"))
    # HAProxy's workers have a user of their own; the folder's is root's alone.
    folder.chmod(0o755)
    made = Place(namespace, Paths(folder / "s", folder / "r", folder / "c"))
    try:
        yield made
    finally:
        made.balancers().stop()
        for target in made.targets:
            target.stop()
        shutil.rmtree(folder)
        left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False).stdout
        assert left == "", f"left behind: {left}"

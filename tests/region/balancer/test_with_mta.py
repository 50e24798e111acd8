"""A real MTA behind a real balancer, on loopback: readiness, TLS, and who the client is."""

import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from postroad_region.balancer.balancers import Balancers
from postroad_region.balancer.model import Balancer, HealthCheck, Listener, Node, Target, TargetGroup
from postroad_region.ca import ensure_authority
from postroad_region.paths import Paths

from tests.region.balancer.conftest import ARN, ZONE, eventually

LOOPBACK = IPv4Address("127.0.0.1")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy isn't installed"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Door:
    port: int
    balancers: Balancers
    mta: subprocess.Popen[bytes]
    folder: Path

    def state(self) -> str:
        self.balancers.look()
        return self.balancers.states()[ARN, "i-1"].state

    def connect(self) -> smtplib.SMTP_SSL:
        context = ssl.create_default_context(cafile=str(self.folder / "ca" / "ca.crt"))
        return smtplib.SMTP_SSL("localhost", self.port, timeout=15, context=context)


@pytest.fixture
def door() -> Iterator[Door]:
    folder = Path(tempfile.mkdtemp(prefix="prt-"))
    folder.chmod(0o755)
    port, smtp, admin = free_port(), free_port(), free_port()
    (folder / "mta.toml").write_text(
        f'[listeners.submission]\naddress = "127.0.0.1:{smtp}"\nrelay_from = ["127.0.0.1/32"]\n'
        f'proxy_from = ["127.0.0.1/32"]\nhostname = "mta.test"\n[spool]\npath = "{folder}/spool"\nmin_free = "0B"\n'
        f'[routing]\nsmart_host = "127.0.0.1:1"\n[admin]\naddress = "127.0.0.1:{admin}"\n'
    )
    issued = ensure_authority(folder / "ca").issue(["localhost"])
    check = HealthCheck("HTTP", admin, "/ready", "200", interval=1, timeout=1, rise=2, fall=2)
    group = TargetGroup(
        ARN, (Target("i-1", LOOPBACK, smtp, ZONE, time.time()),), check=check, proxy_protocol=True, cuts_unhealthy=False
    )
    listener = Listener(port, "TLS", ARN, ((issued.chain + issued.key).decode(),))
    balancer = Balancer("arn", "front", "front.elb.x", (Node("nlb-mta", ZONE, LOOPBACK),), (listener,), (group,))
    paths = Paths(folder / "s", folder / "r", folder / "c")
    balancers = Balancers(paths, enter=lambda _: (), namespaces=paths.cache)
    command = [str(Path(sys.executable).parent / "postroad-mta"), "run", "--config", str(folder / "mta.toml")]
    with (folder / "mta.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as mta:
        try:
            balancers.apply([balancer])
            yield Door(port, balancers, mta, folder)
        finally:
            balancers.stop()
            mta.kill()
            mta.wait()
            shutil.rmtree(folder)


def test_an_mta_is_ready_behind_the_balancer_and_takes_mail_for_the_clients_address(door: Door) -> None:
    eventually(lambda: door.state() == "healthy")
    with door.connect() as client:
        assert client.sendmail("a@x.test", ["b@y.test"], b"From: a@x.test\r\n\r\nhi\r\n") == {}
    log = door.folder / "mta.log"
    # Written at the end of the turn that answered.
    eventually(lambda: '"event":"reception"' in log.read_text())
    assert "proxy_header" not in log.read_text()


def test_an_mta_that_stops_says_goodbye_to_its_sessions_and_is_unhealthy(door: Door) -> None:
    eventually(lambda: door.state() == "healthy")
    client = door.connect()
    door.mta.terminate()
    code, _ = client.getreply()
    assert code == 421
    eventually(lambda: door.state() != "healthy")
    client.close()

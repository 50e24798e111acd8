"""The daemon may be killed at any moment while it changes the DNS: the next one makes everything right."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from postroad_region.dns import DnsDesired, DnsPlane, HostedZone, ProviderZone, Vpc
from postroad_region.process import Process

pytestmark = pytest.mark.root

ROUNDS = int(os.environ.get("POSTROAD_KILLS", "8"))
ADDRESSES = ("198.51.100.1", "198.51.100.8", "198.51.100.53", "198.51.100.54", "10.20.0.2")
SERVERS = ("nsd-root", "nsd-authority", "public-resolver", "resolver-vpc-1")

# Stops and applies as fast as it can, another record each time, until it is killed.
DAEMON = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_plane_killed import desired, plane
made = plane(sys.argv[1], Path(sys.argv[2]))
print("begun", flush=True)
for number in range(1_000_000):
    made.apply(desired(number % 200))
    if number % 5 == 4:
        made.stop()
"""


def desired(number: int) -> DnsDesired:
    public = {"Name": "www.postroad.test.", "Type": "A", "TTL": 0}
    private = {"Name": "mta-a.postroad.internal.", "Type": "A", "TTL": 0}
    zones = [
        HostedZone("Z1", "postroad.test.", [{**public, "ResourceRecords": [{"Value": f"198.18.113.{number}"}]}]),
        HostedZone(
            "Z2",
            "postroad.internal.",
            [{**private, "ResourceRecords": [{"Value": f"10.20.1.{number}"}]}],
            private=True,
            vpc_ids=("vpc-1",),
        ),
        HostedZone(f"Y{number}", f"zone-{number}.test.", []),
    ]
    provider = ProviderZone("gmail.test", "198.51.100.54", ("@ 0 IN MX 5 mx",))
    return DnsDesired(zones, [provider], vpcs=[Vpc("vpc-1", "10.20.0.2", ("10.20.0.0/16",))])


def plane(namespace: str, folder: Path) -> DnsPlane:
    prefix = ["ip", "netns", "exec", namespace]
    return DnsPlane(folder / "dns", folder / "run", prefix, prefix)


def test_after_every_kill_one_of_each_server_serves_what_is_desired(
    make_namespace: Callable[..., Any], folder: Path
) -> None:
    namespace = make_namespace(*ADDRESSES)
    command = [sys.executable, "-c", DAEMON, namespace.name, str(folder), str(Path(__file__).parent)]
    moments = random.Random(3)

    def answer(server: str, name: str) -> str:
        return str(
            namespace.run("dig", "+short", "+timeout=2", "+tries=1", "-b", server, f"@{server}", name, check=False)
        )

    try:
        for number in range(200, 200 + ROUNDS):
            with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:
                assert daemon.stdout is not None
                daemon.stdout.readline()
                time.sleep(moments.uniform(0, 0.6))  # the moment of the kill, nothing is waited for
                daemon.kill()
            status = plane(namespace.name, folder).apply(desired(number % 256))
            assert status.processes == dict.fromkeys(sorted(SERVERS, key=SERVERS.index), True)
            end = time.monotonic() + 3
            expected = (f"198.18.113.{number % 256}\n", f"10.20.1.{number % 256}\n")
            while (
                answer("198.51.100.53", "www.postroad.test"),
                answer("10.20.0.2", "mta-a.postroad.internal"),
            ) != expected:
                assert time.monotonic() < end, f"round {number}: not served within 3 s"
            for name in SERVERS:
                process = Process(name, run_dir=folder / "run", log_file=folder / "unused")
                leaders = [each.pid for each in process._marked() if os.getsid(each.pid) == each.pid]
                assert leaders == [getattr(process.running(), "pid", None)]
    finally:
        plane(namespace.name, folder).stop()

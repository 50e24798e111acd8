"""The proxy is no way to the metadata service, nor to its own host.

Runs in a network namespace whose own loopback holds the addresses: a proxy without rules would reach them there, and
nothing can leave.
"""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from daemons import ProxyDaemon

pytestmark = pytest.mark.root

PROTECTED = ("169.254.169.254", "10.1.2.3", "127.0.0.1", "100.64.1.1")
ALLOWED = "198.51.100.25"


def test_metadata_private_and_loopback_addresses_are_refused(tmp_path: Path) -> None:
    command = ["unshare", "-n", sys.executable, __file__, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "mta")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == "all refused"


def reply_of(proxy: ProxyDaemon, address: str, port: int) -> int:
    request = b"\x05\x01\x00\x05\x01\x00\x01" + socket.inet_aton(address) + port.to_bytes(2, "big")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(request)
        answer = b""
        while len(answer) < 12 and (data := client.recv(12)):
            answer += data
    return answer[3]


def header_gets_through(proxy: ProxyDaemon, address: str, port: int) -> bool:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(f"PROXY TCP4 127.0.0.1 {address} 0 {port}\r\n".encode())
        try:
            return client.recv(5) == b"hello"
        except ConnectionError:
            return False


def greet(service: socket.socket) -> None:
    while True:
        connection, _ = service.accept()
        connection.sendall(b"hello")
        connection.close()


def inside(folder: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (*PROTECTED, ALLOWED):
        subprocess.run(["ip", "address", "replace", f"{address}/32", "dev", "lo"], check=True)
    service = socket.create_server(("0.0.0.0", 25))
    threading.Thread(target=greet, args=(service,), daemon=True).start()
    proxy = ProxyDaemon(folder, destinations="0.0.0.0/0:1-65535")
    proxy.start()
    try:
        assert reply_of(proxy, ALLOWED, 25) == 0
        assert header_gets_through(proxy, ALLOWED, 25)
        for address in PROTECTED:
            assert reply_of(proxy, address, 25) == 2, address
            assert not header_gets_through(proxy, address, 25), address
        # Reachable by a public address of this host, and yet never to be reached.
        for port in (proxy.port, proxy.admin_port):
            assert reply_of(proxy, "127.0.0.1", port) == 2
        refused = proxy.metric('postroad_proxy_refused_connections_total{reason="destination"}')
        assert refused == 2 * len(PROTECTED) + 2
    finally:
        proxy.stop()
    print("all refused")


if __name__ == "__main__":
    inside(Path(sys.argv[1]))

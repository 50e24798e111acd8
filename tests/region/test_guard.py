"""The guard: nothing with an address of the box leaves by another way than the region's own link."""

import subprocess
import uuid
from collections.abc import Iterator

import pytest
from postroad_region import addresses, guard

pytestmark = pytest.mark.root

BOX = ["10.20.1.4", "10.23.255.254", "198.51.100.25", "198.18.113.7"]


def inside(namespace: str, *command: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command], input=stdin, text=True, capture_output=True, check=False
    )


@pytest.fixture
def machine() -> Iterator[tuple[str, str]]:
    """A machine with an uplink by default route, and what stands behind that uplink; neither has another link."""
    near, far = f"prt-{uuid.uuid4().hex[:8]}", f"prt-{uuid.uuid4().hex[:8]}"
    try:
        for name in (near, far):
            subprocess.run(["ip", "netns", "add", name], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        subprocess.run(
            ["ip", "-n", near, "link", "add", "uplink", "type", "veth", "peer", "name", "far", "netns", far], check=True
        )
        for name, device, address in ((near, "uplink", "172.31.0.1/30"), (far, "far", "172.31.0.2/30")):
            subprocess.run(["ip", "-n", name, "address", "add", address, "dev", device], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", device, "up"], check=True)
        subprocess.run(["ip", "-n", near, "route", "add", "default", "via", "172.31.0.2"], check=True)
        # Whatever reaches the far side is answered there: only the guard can keep it away.
        for address in BOX:
            subprocess.run(["ip", "-n", far, "address", "add", f"{address}/32", "dev", "lo"], check=True)
        yield near, far
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "del", name], check=False)


def reaches(namespace: str, address: str) -> bool:
    return inside(namespace, "ping", "-c", "1", "-W", "1", address).returncode == 0


def load(namespace: str) -> None:
    done = inside(namespace, "nft", "-f", "-", stdin=guard.ruleset())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("address", BOX)
def test_a_network_that_is_not_up_is_out_of_reach(machine: tuple[str, str], address: str) -> None:
    near, _ = machine
    assert reaches(near, address), "without the guard the packet leaves by the default route"
    load(near)
    assert not reaches(near, address)
    assert reaches(near, "172.31.0.2"), "the guard takes nothing else away"


def test_a_network_that_is_up_is_reached_by_its_own_link_alone(machine: tuple[str, str]) -> None:
    near, _ = machine
    region = f"prt-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", region], check=True)
    try:
        link = addresses.UPLINK_HOST
        subprocess.run(
            ["ip", "-n", near, "link", "add", link, "type", "veth", "peer", "name", "r", "netns", region], check=True
        )
        subprocess.run(["ip", "-n", region, "link", "set", "r", "up"], check=True)
        subprocess.run(["ip", "-n", region, "address", "add", "10.20.1.4/32", "dev", "r"], check=True)
        subprocess.run(["ip", "-n", region, "route", "add", "10.20.255.10/32", "dev", "r"], check=True)
        subprocess.run(["ip", "-n", near, "address", "add", "10.20.255.10/32", "dev", link], check=True)
        subprocess.run(["ip", "-n", near, "link", "set", link, "up"], check=True)
        subprocess.run(
            ["ip", "-n", near, "route", "add", "10.20.1.0/24", "dev", link, "src", "10.20.255.10"], check=True
        )
        load(near)
        assert reaches(near, "10.20.1.4")
        assert not reaches(near, "10.23.255.254")
        # The link goes away under traffic: the next packet takes the default route, and is stopped there.
        subprocess.run(["ip", "-n", near, "link", "del", link], check=True)
        assert not reaches(near, "10.20.1.4")
    finally:
        subprocess.run(["ip", "netns", "del", region], check=True)


def test_the_machine_does_not_route_for_the_box(machine: tuple[str, str]) -> None:
    near, far = machine
    region = f"prt-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", region], check=True)
    try:
        link = addresses.UPLINK_HOST
        subprocess.run(
            ["ip", "-n", near, "link", "add", link, "type", "veth", "peer", "name", "r", "netns", region], check=True
        )
        for name, device, address in ((near, link, "10.20.255.10/24"), (region, "r", "10.20.255.11/24")):
            subprocess.run(["ip", "-n", name, "address", "add", address, "dev", device], check=True)
            subprocess.run(["ip", "-n", name, "link", "set", device, "up"], check=True)
        subprocess.run(["ip", "-n", region, "route", "add", "default", "via", "10.20.255.10"], check=True)
        inside(near, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        subprocess.run(["ip", "-n", far, "route", "add", "10.20.255.0/24", "via", "172.31.0.1"], check=True)
        assert reaches(region, "172.31.0.2"), "without the guard the machine forwards it"
        load(near)
        assert not reaches(region, "172.31.0.2")
    finally:
        subprocess.run(["ip", "netns", "del", region], check=True)


def test_loading_it_twice_leaves_one(machine: tuple[str, str]) -> None:
    near, _ = machine
    load(near)
    before = inside(near, "nft", "-j", "list", "tables").stdout
    load(near)
    assert inside(near, "nft", "-j", "list", "tables").stdout.count(guard.TABLE) == before.count(guard.TABLE) == 1

"""Images are made from their hosts before those go, once, and dropped when nobody needs them."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from postroad_region.errors import RegionError
from postroad_region.hypervisor import bakery, images
from postroad_region.hypervisor.bakery import Bakery
from postroad_region.hypervisor.hosts import Host
from postroad_region.hypervisor.model import Image, Instance

INSTANCE = "i-0123456789abcdef0"
RUNS = {INSTANCE: Host(INSTANCE, running=True, pid=4_000_000)}
STANDS = {INSTANCE: Host(INSTANCE, running=False, pid=0)}


class Podman:
    """Images as podman has them."""

    stale = staticmethod(images.stale)

    def __init__(self) -> None:
        self.have: set[str] = set()
        self.done: list[str] = []
        self.full = False

    def exists(self, ami: str) -> bool:
        return ami in self.have

    def bake(self, ami: str, instance_id: str) -> None:
        if self.full:
            raise RegionError("no space left on device")
        self.done.append(f"bake {instance_id}")
        self.have.add(ami)

    def made(self) -> dict[str, tuple[str, ...]]:
        self.done.append("list")
        return {f"id-{ami}": (ami, images.reference(ami)) for ami in self.have}

    def remove(self, image: str) -> None:
        self.have.discard(image.removeprefix("id-"))

    def stop(self, instance_id: str) -> None:
        self.done.append(f"stop {instance_id}")


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Podman:
    made = Podman()
    for name in ("hosts", "images"):
        monkeypatch.setattr(bakery, name, made)
    return made


def image(*, pending: bool = True, reboot: bool = False) -> Image:
    return Image("ami-1", INSTANCE, pending, reboot)


def of_image(ami: str) -> Instance:
    return Instance(INSTANCE, "running", ami, "t3.small", "us-east-1a", "us-east-1", "1", (), IPv4Address("10.20.0.2"))


def released(_: int) -> None:
    """A host that isn't frozen."""


@pytest.mark.parametrize(
    ("wanted", "present", "done"),
    [
        (image(), RUNS, [f"bake {INSTANCE}"]),
        (image(reboot=True), RUNS, [f"stop {INSTANCE}", f"bake {INSTANCE}"]),
        (image(reboot=True), STANDS, [f"bake {INSTANCE}"]),
        (image(pending=False), RUNS, []),
    ],
    ids=["as it runs", "shut down for it", "stopped already", "made already"],
)
def test_a_pending_image_is_made_of_its_host(
    podman: Podman, wanted: Image, present: dict[str, Host], done: list[str]
) -> None:
    decided: dict[str, str] = {}
    Bakery(released).bake([wanted], present, decided)
    assert podman.done == done
    assert decided == ({"ami-1": "available"} if wanted.pending else {})


def test_an_image_that_a_killed_daemon_made_is_not_made_again(podman: Podman) -> None:
    podman.have.add("ami-1")
    decided: dict[str, str] = {}
    Bakery(released).bake([image()], {}, decided)
    assert (podman.done, decided) == ([], {"ami-1": "available"})


def test_an_image_whose_host_is_gone_has_failed(podman: Podman) -> None:
    decided: dict[str, str] = {}
    Bakery(released).bake([image()], {}, decided)
    assert decided == {"ami-1": "failed"}


def test_an_image_that_finds_no_room_is_tried_again(podman: Podman) -> None:
    decided: dict[str, str] = {}
    baker = Bakery(released)
    podman.full = True
    with pytest.raises(RegionError, match="no space left"):
        baker.bake([image()], RUNS, decided)
    assert decided == {}
    podman.full = False
    baker.bake([image()], RUNS, decided)
    assert decided == {"ami-1": "available"}


def test_an_image_stays_as_long_as_an_instance_needs_it(podman: Podman) -> None:
    podman.have = {"ami-1"}
    baker = Bakery(released)
    for instances, left in (([of_image("ami-1")], {"ami-1"}), ([of_image("ami-base")], set())):
        baker.tidy([], instances)
        assert podman.have == left


def test_podman_is_asked_only_when_other_images_are_needed(podman: Podman) -> None:
    baker = Bakery(released)
    for _ in range(3):
        baker.tidy([image(pending=False)], [])
    assert podman.done == ["list"]


@pytest.mark.parametrize(
    ("found", "kept", "dropped"),
    [
        ({"1": ("ami-1", images.reference("ami-1"))}, {"ami-1"}, []),
        ({"1": ("ami-1", images.reference("ami-1"))}, set(), ["1"]),
        # Made twice, by a podman that outlived its daemon: the second has the name.
        ({"1": ("ami-1",), "2": ("ami-1", images.reference("ami-1"))}, {"ami-1"}, ["1"]),
    ],
)
def test_what_nobody_needs_is_dropped(found: Any, kept: set[str], dropped: list[str]) -> None:
    assert images.stale(found, kept) == dropped

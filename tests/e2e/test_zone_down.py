"""A zone fails under load: mail goes on through the others, and nothing that was answered 250 is lost."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from postroad_ops import delivery, front_door, hosts, places
from postroad_ops.up import DOMAIN, SENDER

COUNT, RATE = 2_400, 200.0
ZONE = "a"
DOWN_AFTER_SECONDS = 3.0


def zone(verb: str) -> None:
    subprocess.run([places.program("postroad-region"), "zone", verb, ZONE], check=True, capture_output=True)


@pytest.fixture
def _zone_is_up_again() -> Iterator[None]:
    yield
    zone("up")


@pytest.mark.usefixtures("_zone_is_up_again")
def test_what_was_answered_250_is_delivered_and_the_other_zones_take_over() -> None:
    world = delivery.providers()
    doors = front_door.doors("local")
    assert len(doors) == 3
    sender = delivery.Sender(doors, sender=SENDER, domain=DOMAIN, octets=500, rate=RATE)
    batch = f"zone{int(time.time())}"
    cut = threading.Timer(DOWN_AFTER_SECONDS, zone, ("down",))
    cut.start()
    accepted, refused = sender.send(batch, COUNT)
    cut.join()
    assert refused == Counter(), "each message found a door"
    assert len(accepted) == COUNT

    zone("up")

    deadline = time.monotonic() + 240
    while world.distinct(batch) < COUNT:
        assert time.monotonic() < deadline, f"{COUNT - world.distinct(batch)} of {COUNT} messages are missing"
        time.sleep(0.5)
    while {host.health for host in hosts.of_stack("local")} != {"ready"}:
        assert time.monotonic() < deadline, "a host doesn't recover"
        time.sleep(0.5)

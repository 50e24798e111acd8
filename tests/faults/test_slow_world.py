"""Sites that stall hold back only their own mail, wherever in a session they fall silent."""

import smtplib
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from daemons import MtaDaemon, wait_until
from world import World

STALLED, GOOD, EACH = 60, 6, 5
FEW = "[egress]\nmax_connections = 20\nmax_connections_per_site = 10\n"
STAGES = ["banner", "mail", "data", "dot"]


def send(mta: MtaDaemon, domain: str) -> None:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(EACH):
            client.sendmail("a@x.test", [f"b@{domain}"], f"From: a@x.test\nX-Id: {number}\n\nx\n")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[World, MtaDaemon]]]:
    """By stage: a world whose stalled hosts fall silent there, and an MTA that has mail for all of it.

    They run beside each other, since most of what they do is wait.
    """
    made = {}
    with ExitStack() as stack:
        for stage in STAGES:
            world = World(stage)
            stack.callback(world.stop)
            dns = f'[dns]\nservers = ["127.0.0.1:{world.dns_port}"]\n'
            more = FEW + dns + '[shutdown]\ngrace = "0s"\n'
            mta = MtaDaemon(tmp_path_factory.mktemp(stage), mx_port=world.port, more=more)
            mta.start()
            stack.callback(mta.kill)  # who stalls at the dot would be waited for
            for number in range(STALLED):
                send(mta, f"stalled{number}.test")
            for number in range(GOOD):
                send(mta, f"good{number}.test")
            made[stage] = world, mta
        yield made


@pytest.mark.parametrize("stage", STAGES)
def test_many_sites_that_stall_do_not_hold_back_the_others(
    worlds: dict[str, tuple[World, MtaDaemon]], stage: str
) -> None:
    world, mta = worlds[stage]
    wait_until(lambda: sum(world.taken.values()) >= GOOD * EACH, seconds=90, what="the good sites have their mail")
    assert set(world.taken.values()) == {EACH}
    assert mta.queue()["messages"] == STALLED * EACH
    assert not mta.events("deferral", "bounce")

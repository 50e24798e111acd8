"""Sites that stall hold back only their own mail, wherever in a session they fall silent."""

import smtplib
from collections.abc import Callable
from typing import Any

import pytest
from daemons import MtaDaemon, wait_until
from world import World

STALLED, GOOD, EACH = 60, 6, 5
FEW = "[egress]\nmax_connections = 20\nmax_connections_per_site = 10\n"


def send(mta: MtaDaemon, domain: str) -> None:
    with smtplib.SMTP("127.0.0.1", mta.port) as client:
        for number in range(EACH):
            client.sendmail("a@x.test", [f"b@{domain}"], f"From: a@x.test\nX-Id: {number}\n\nx\n")


@pytest.mark.parametrize("stage", ["banner", "mail", "data", "dot"])
def test_many_sites_that_stall_do_not_hold_back_the_others(
    new_mta: Callable[..., MtaDaemon], stopped_after: Callable[[Any], Any], stage: str
) -> None:
    world = stopped_after(World(stage))
    dns = f'[dns]\nservers = ["127.0.0.1:{world.dns_port}"]\n'
    mta = new_mta(mx_port=world.port, more=FEW + dns + '[shutdown]\ngrace = "0s"\n')
    for number in range(STALLED):
        send(mta, f"stalled{number}.test")
    for number in range(GOOD):
        send(mta, f"good{number}.test")
    wait_until(lambda: sum(world.taken.values()) >= GOOD * EACH, seconds=90, what="the good sites have their mail")
    assert set(world.taken.values()) == {EACH}
    assert mta.queue()["messages"] == STALLED * EACH
    assert not mta.events("deferral", "bounce")
    mta.kill()  # who stalls at the dot would be waited for

"""Counting tracked flows in the kernel's table."""

from typing import Any

import pytest
from postroad_region.fabric.tracked import count

LINE = (
    "ipv4     2 tcp      6 431999 ESTABLISHED src=10.20.0.10 dst=10.20.1.11 sport=4000 dport=25 "
    "src=10.20.1.11 dst=10.20.0.10 sport=25 dport=4000 [ASSURED] mark={mark} zone=0 use=2"
)


@pytest.mark.parametrize(
    ("mark", "host", "counted"),
    [
        (3, "10.20.0.10", 1),
        (3, "10.20.1.11", 1),
        (1, "10.20.0.10", 1),
        (1, "10.20.1.11", 0),
        (2, "10.20.0.10", 0),
        (2, "10.20.1.11", 1),
        (0, "10.20.0.10", 0),
        (3, "10.20.1.1", 0),
    ],
)
def test_a_flow_counts_for_the_side_that_tracks_it(mark: int, host: str, counted: int) -> None:
    assert count(LINE.format(mark=mark), [host]) == counted


def test_nothing_else_counts() -> None:
    assert count("", ["10.20.0.10"]) == 0
    assert count("ipv4 2 tcp 6 30 src=10.20.0.10", ["10.20.0.10"]) == 0


@pytest.mark.root
def test_the_kernels_own_lines_are_read(lab: Any) -> None:
    from ipaddress import IPv4Network

    from postroad_region.fabric.model import Rule, SecurityGroup
    from postroad_region.fabric.tracked import tracked_flows

    client, server = lab.host("a"), lab.host("b", group="sg-server")
    open_ = (Rule("all", None, (IPv4Network("0.0.0.0/0"),)),)
    lab.groups = {
        "sg-open": SecurityGroup("sg-open", open_, open_),
        "sg-server": SecurityGroup("sg-server", open_, ()),
    }
    lab.load()
    with server.listen(25):
        held = [client.connect(server.address, 25) for _ in range(3)]
    assert len(held) == 3
    assert tracked_flows([server.address]) == 3
    assert tracked_flows([client.address]) == 0

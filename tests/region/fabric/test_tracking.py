"""Which flows a security group tracks: the cases that AWS's page has, and their edges."""

from ipaddress import IPv4Network

import pytest
from postroad_region.fabric.model import Rule
from postroad_region.fabric.tracking import permissions

ANY = (IPv4Network("0.0.0.0/0"),)
SOME = (IPv4Network("203.0.113.1/32"),)
ALL = Rule("all", None, ANY)


@pytest.mark.parametrize(
    ("rule", "replies", "tracked"),
    [
        pytest.param(Rule("tcp", (80, 80), ANY), [ALL], [("tcp", False)], id="web from anywhere"),
        pytest.param(Rule("tcp", (22, 22), SOME), [ALL], [("tcp", True)], id="ssh from one address"),
        pytest.param(Rule("icmp", None, ANY), [ALL], [("icmp", True)], id="icmp always"),
        pytest.param(Rule("tcp", (80, 80), ANY), [], [("tcp", True)], id="no way back"),
        pytest.param(Rule("tcp", (80, 80), ANY), [Rule("all", None, SOME)], [("tcp", True)], id="a way back for some"),
        pytest.param(
            Rule("udp", (53, 53), ANY), [Rule("udp", (53, 53), ANY)], [("udp", True)], id="replies to one port only"
        ),
        pytest.param(
            Rule("udp", (53, 53), ANY), [Rule("udp", (1024, 65535), ANY)], [("udp", True)], id="not every port back"
        ),
        pytest.param(
            Rule("udp", (53, 53), ANY), [Rule("udp", (0, 65535), ANY)], [("udp", False)], id="resolver as AWS advises"
        ),
        pytest.param(
            Rule("udp", (53, 53), ANY), [Rule("tcp", (0, 65535), ANY)], [("udp", True)], id="another protocol back"
        ),
        pytest.param(ALL, [ALL], [("tcp", False), ("udp", False), ("all", True)], id="all both ways, icmp tracked"),
        pytest.param(
            ALL, [Rule("tcp", (0, 65535), ANY)], [("tcp", False), ("all", True)], id="all in, tcp back"
        ),
        pytest.param(Rule("tcp", (1080, 1080), (), ("sg-mta",)), [ALL], [("tcp", True)], id="a group's members"),
    ],
)  # fmt: skip
def test_a_flow_is_untracked_where_rules_let_all_in_and_all_replies_out(
    rule: Rule, replies: list[Rule], tracked: list[tuple[str, bool]]
) -> None:
    assert [(p.protocol, p.tracked) for p in permissions([rule], replies)] == tracked


def test_what_is_not_tracked_is_matched_first_and_no_rule_comes_twice() -> None:
    narrow, wide = Rule("tcp", (80, 80), SOME), Rule("tcp", (80, 80), ANY)
    found = permissions([narrow, wide, wide], [ALL])
    assert [(p.network, p.tracked) for p in found] == [(ANY[0], False), (SOME[0], True)]

"""Which proxy has which sending address."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad_infra.sending_plan import SLOT_ADDRESSES, SendingPlan, most_slots, private_addresses

ZONES = ("us-east-1a", "us-east-1b")


def table(plan: SendingPlan) -> dict[str, tuple[str, int]]:
    return {address.host: (address.slot, address.place) for address in plan.planned()}


@pytest.mark.parametrize(
    ("plan", "places"),
    [
        pytest.param(SendingPlan(ZONES, 1, 1, {}), {"mail-a": ("proxy-a", 0), "mail-b": ("proxy-b", 0)}, id="one each"),
        pytest.param(
            SendingPlan(ZONES[:1], 2, 2, {}),
            {
                "mail-a": ("proxy-a", 0),
                "mail-a-ip2": ("proxy-a", 1),
                "mail-a-2": ("proxy-a-2", 0),
                "mail-a-2-ip2": ("proxy-a-2", 1),
            },
            id="two proxies with two each",
        ),
        pytest.param(
            SendingPlan(ZONES, 1, 2, {"mail-a": "proxy-b", "mail-a-ip2": "proxy-b"}),
            {
                "mail-a": ("proxy-b", 2),
                "mail-a-ip2": ("proxy-b", 3),
                "mail-b": ("proxy-b", 0),
                "mail-b-ip2": ("proxy-b", 1),
            },
            id="a proxy given up",
        ),
        pytest.param(
            SendingPlan(ZONES, 1, 1, {"mail-a": "proxy-a"}),
            {"mail-a": ("proxy-a", 0), "mail-b": ("proxy-b", 0)},
            id="moved to where it is",
        ),
    ],
)
def test_addresses_have_names_for_good_and_places_on_slots(plan: SendingPlan, places: dict[str, object]) -> None:
    assert table(plan) == places


def test_a_slot_has_room_for_its_own_and_its_guests() -> None:
    plan = SendingPlan(ZONES, 1, 2, {"mail-a": "proxy-b"})
    assert {slot: plan.places(slot) for _, _, slot in plan.slots()} == {"proxy-a": 2, "proxy-b": 3}


def test_a_move_of_or_to_what_does_not_exist_is_a_problem() -> None:
    plan = SendingPlan(ZONES, 1, 1, {"mail-x": "proxy-a", "mail-a": "proxy-z"})
    assert list(plan.problems()) == [
        "mail-x isn't one of the addresses: mail-a, mail-b",
        "proxy-z isn't one of the proxies: proxy-a, proxy-b",
    ]


@given(
    proxies=st.integers(1, 4),
    addresses=st.integers(1, 6),
    moves=st.dictionaries(st.integers(0, 47), st.integers(0, 7), max_size=12),
)
def test_no_two_addresses_share_a_place_and_none_is_lost(proxies: int, addresses: int, moves: dict[int, int]) -> None:
    still = SendingPlan(ZONES, proxies, addresses, {})
    hosts, slots = [each.host for each in still.planned()], [name for _, _, name in still.slots()]
    moved = {hosts[host % len(hosts)]: slots[slot % len(slots)] for host, slot in moves.items()}
    plan = SendingPlan(ZONES, proxies, addresses, moved)
    planned = plan.planned()
    assert [each.host for each in planned] == hosts
    assert len({(each.slot, each.place) for each in planned}) == len(hosts)
    assert all(each.place < plan.places(each.slot) for each in planned)
    assert {each.host: each.place for each in planned if each.slot == dict(table(still))[each.host][0]} == {
        host: place for host, (slot, place) in table(still).items() if moved.get(host, slot) == slot
    }


def test_slots_have_private_addresses_of_the_range_that_is_kept_for_them() -> None:
    kept = IPv4Network("10.20.24.0/21")
    assert most_slots(kept) == 32
    assert [str(address) for address in private_addresses(kept, 1, 3)] == ["10.20.24.64", "10.20.24.65", "10.20.24.66"]
    with pytest.raises(ValueError, match=r"10\.20\.0\.128/25 has room for 2 proxies of 64 addresses"):
        private_addresses(IPv4Network("10.20.0.128/25"), 2, 1)
    with pytest.raises(ValueError, match="at most 64 addresses, not 65"):
        private_addresses(kept, 0, SLOT_ADDRESSES + 1)

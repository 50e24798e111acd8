"""The resolver tier, and the caches that ask it."""

import os
from typing import Any

import pytest

pytestmark = pytest.mark.region


def test_a_signed_name_is_authentic(every: list[Any]) -> None:
    for node in every:
        assert node.facts["local"]["status"] == "NOERROR", node.name
        assert "ad" in node.facts["local"]["flags"], node.name


@pytest.mark.skipif(
    os.environ.get("POSTROAD_STACK", "local") != "local",
    reason="only the region in a box serves a zone with broken signatures",
)
def test_a_bogus_name_is_refused(every: list[Any]) -> None:
    assert {node.name: node.facts["bogus"]["status"] for node in every} == {node.name: "SERVFAIL" for node in every}


def test_hosts_ask_the_resolvers_of_their_own_zone(mtas: list[Any], proxies: list[Any], resolvers: list[Any]) -> None:
    for node in mtas + proxies:
        own = {r.variables["private_address"] for r in resolvers if r.variables["zone"] == node.variables["zone"]}
        line = next(line for line in node.facts["forwards"].splitlines() if line.startswith(". "))
        assert set(line.split()) & {r.variables["private_address"] for r in resolvers} == own, node.name


def test_unbound_runs_and_starts_at_boot(every: list[Any]) -> None:
    for node in every:
        assert (node.facts["unbound"]["ActiveState"], node.facts["unbound"]["UnitFileState"]) == (
            "active",
            "enabled",
        ), node.name

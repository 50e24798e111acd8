"""The proxy tier: it must never be a way to anywhere but the internet's mail exchangers."""

from typing import Any

import pytest

pytestmark = pytest.mark.region


def test_it_is_ready_and_runs_the_release_that_the_ledger_names(proxies: list[Any]) -> None:
    for node in proxies:
        assert node.facts["ready"]["status"] == 200, f"{node.name}: {node.facts['ready']}"
        assert node.facts["ready"]["release"] == node.facts["current"] == node.facts["ledger"]["release"], node.name


def test_systemd_owns_the_port(proxies: list[Any]) -> None:
    for node in proxies:
        assert node.facts["socket"]["ActiveState"] == "active", node.name
        assert ":1080 (Stream)" in node.facts["socket"]["Listen"], node.name


def test_it_runs_without_privileges(proxies: list[Any]) -> None:
    assert {node.facts["service"]["User"] for node in proxies} == {"postroad"}


@pytest.mark.parametrize("way", ["to_metadata", "to_metadata_25", "to_itself", "to_web"])
def test_it_refuses_to_go(proxies: list[Any], way: str) -> None:
    assert {node.name: node.facts[way] for node in proxies if node.facts[way] == 0} == {}

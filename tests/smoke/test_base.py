"""What every host has."""

from typing import Any

import pytest

pytestmark = pytest.mark.region


def test_the_stack_has_hosts_in_every_tier(resolvers: list[Any], mtas: list[Any], proxies: list[Any]) -> None:
    assert resolvers
    assert mtas
    assert proxies


def test_names_are_asked_of_the_host_itself_first(every: list[Any]) -> None:
    assert {node.name: node.facts["nameservers"][0] for node in every} == {node.name: "127.0.0.1" for node in every}


def test_the_firewall_drops_what_nobody_listed(every: list[Any]) -> None:
    for node in every:
        assert "policy drop" in node.facts["firewall"], node.name


def test_packages_come_from_the_artifacts_bucket_only(every: list[Any]) -> None:
    for node in every:
        for source in node.facts["sources"]:
            assert node.variables["artifacts_bucket"] in source, node.name


def test_no_unit_has_failed(every: list[Any]) -> None:
    assert {node.name: node.facts["failed"] for node in every if node.facts["failed"]} == {}

"""The MTA tier."""

from typing import Any

import pytest

pytestmark = pytest.mark.region


def test_it_is_ready_and_runs_the_release_that_the_ledger_names(mtas: list[Any]) -> None:
    for node in mtas:
        assert node.facts["ready"]["status"] == 200, f"{node.name}: {node.facts['ready']}"
        assert node.facts["complete"], node.name
        assert node.facts["ready"]["release"] == node.facts["current"] == node.facts["ledger"]["release"], node.name


def test_all_hosts_run_the_same_release(mtas: list[Any], proxies: list[Any]) -> None:
    assert len({node.facts["current"] for node in mtas + proxies}) == 1


def test_systemd_owns_the_submission_port(mtas: list[Any]) -> None:
    for node in mtas:
        assert node.facts["socket"]["ActiveState"] == "active", node.name
        assert ":587 (Stream)" in node.facts["socket"]["Listen"], node.name


def test_it_runs_without_privileges(mtas: list[Any]) -> None:
    assert {node.facts["service"]["User"] for node in mtas} == {"postroad"}


def test_the_spool_lies_on_the_volume_and_is_its_own(mtas: list[Any]) -> None:
    for node in mtas:
        assert node.facts["spool"]["path"].startswith("/mnt/ebs/vol-"), node.name
        assert node.facts["spool"]["mount"] == node.facts["spool"]["path"].removesuffix("/spool"), node.name
        assert node.facts["spool"]["mode"] == "0o700", node.name

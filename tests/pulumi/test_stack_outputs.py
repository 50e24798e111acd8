"""What one project gives to the others."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pytest
from postroad_infra.stack_outputs import NetworkOutputs, NetworkZoneOutputs

from tests.pulumi.conftest import StackRuns
from tests.pulumi.mocks_engine import run_program, stack_config


def test_the_network_exports_what_is_declared_and_nothing_else(runs_of: Callable[..., StackRuns]) -> None:
    outputs = runs_of("local")["network"].outputs
    assert set(outputs) == set(NetworkOutputs.__dataclass_fields__)
    assert set(outputs["zones"]) == {"us-east-1a", "us-east-1b", "us-east-1c"}
    for zone in outputs["zones"].values():
        assert set(zone) == set(NetworkZoneOutputs.__dataclass_fields__)


@pytest.mark.parametrize("project", ["dns", "mail"])
def test_a_stack_can_be_previewed_before_its_network_exists(project: str) -> None:
    run = run_program(project, "local", stack_config(project, "local"), references={}, preview=True)
    assert len(run.of("Group")) in (3, 6)


@pytest.mark.parametrize("project", ["dns", "mail"])
def test_an_update_without_the_network_says_what_to_run_first(project: str) -> None:
    with pytest.raises(pulumi.RunError, match="run pulumi up -s local in pulumi/network first"):
        run_program(project, "local", stack_config(project, "local"), references={})


def test_an_update_names_the_zone_that_the_network_lacks(runs_of: Callable[..., StackRuns]) -> None:
    outputs = dict(runs_of("local")["network"].outputs)
    outputs["zones"] = {zone: subnets for zone, subnets in outputs["zones"].items() if zone != "us-east-1b"}
    with pytest.raises(pulumi.RunError, match=r"network of stack local has no output zones.us-east-1b.dns_public"):
        run_program("dns", "local", stack_config("dns", "local"), references={"organization/network/local": outputs})

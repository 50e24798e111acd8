"""Facts that hold for every project of every stack."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Network

import pytest
import yaml
from postroad_infra.policies import Resource, violations
from postroad_region.provider.registry import RESOURCES

from tests.pulumi.conftest import PROJECTS, STACKS, StackRuns
from tests.pulumi.mocks_engine import PROJECTS as FOLDER
from tests.pulumi.mocks_engine import Registered, Run


def as_resources(run: Run) -> list[Resource]:
    """What a program registered, as policies see it."""
    ids = {registered.id for registered in run.cloud}

    def references(registered: Registered) -> dict[str, frozenset[str]]:
        return {
            name: frozenset({value})
            for name, value in registered.inputs.items()
            if isinstance(value, str) and value in ids
        }

    return [
        Resource(registered.type, registered.name, registered.inputs, registered.id, references(registered))
        for registered in run.cloud
    ]


def everything(runs: StackRuns) -> list[Registered]:
    return [resource for run in runs.values() for resource in run.cloud]


def test_a_stack_has_all_its_projects(runs: StackRuns) -> None:
    assert {project for project, run in runs.items() if run.cloud} == set(PROJECTS)


def test_no_policy_is_violated(runs: StackRuns) -> None:
    found = [
        f"{policy}: {resource.name}: {message}"
        for run in runs.values()
        for policy, resource, message in violations(as_resources(run))
    ]
    assert found == []


def test_every_type_is_one_that_the_stand_in_provider_knows(runs: StackRuns) -> None:
    # Another type works on AWS only, so it must be added there first.
    assert {resource.type for resource in everything(runs) if resource.type.startswith("aws:")} <= set(RESOURCES)


def test_no_program_asks_aws_for_anything(runs: StackRuns) -> None:
    assert [run.invoked for run in runs.values()] == [(), (), ()]


def test_logical_names_are_unique_and_carry_no_stack_name(stack: str, runs: StackRuns) -> None:
    for run in runs.values():
        repeated = [name for name, count in Counter((r.type, r.name) for r in run.registered).items() if count > 1]
        assert repeated == []
        assert [resource.name for resource in run.registered if stack in resource.name] == []


@pytest.mark.parametrize("project", PROJECTS)
def test_all_stacks_have_the_same_names_for_what_each_has_once(project: str, runs_of: Callable[..., StackRuns]) -> None:
    # Production has more hosts in a zone, so it has more addresses and spools; nobody lacks what another has.
    names = {stack: _without_ranges(runs_of(stack)[project]) for stack in STACKS}
    assert names["local"] == names["uat"] == names["staging"]
    assert names["local"] <= names["production"]


def _without_ranges(run: Run) -> set[tuple[str, str]]:
    return {(kind, name.split("-from-")[0] if "submission" in name else name) for kind, name in run.names}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_second_and_third_zone_rename_nothing(project: str, runs_of: Callable[..., StackRuns]) -> None:
    one, two, three = (runs_of("local", zones)[project].names for zones in (1, 2, 3))
    assert one < two < three


@pytest.mark.parametrize("project", PROJECTS)
def test_a_second_zone_changes_no_input_that_would_replace_something(
    project: str, runs_of: Callable[..., StackRuns]
) -> None:
    one, three = (
        {(r.type, r.name): json.dumps(r.inputs, sort_keys=True) for r in runs_of("local", zones)[project].cloud}
        for zones in (1, 3)
    )
    changed = {key[1] for key, inputs in one.items() if three[key] != inputs}
    # Updated in place: the endpoints' route tables, the domain's MX and SPF records, the balancer's subnets.
    assert changed <= {"mail-s3", "dns-s3", "domain-mx", "domain-spf", "front-door"}


def test_every_launch_template_demands_imdsv2_and_encrypts_its_root_volume(runs: StackRuns) -> None:
    templates = [resource for resource in everything(runs) if resource.kind == "LaunchTemplate"]
    assert len(templates) == 9
    for template in templates:
        options = template.inputs["metadataOptions"]
        assert (options["httpTokens"], options["httpPutResponseHopLimit"]) == ("required", 1)
        assert [mapping["ebs"]["encrypted"] for mapping in template.inputs["blockDeviceMappings"]] == ["true"]


def test_there_is_one_group_for_each_tier_and_zone_and_it_has_a_fixed_size(stack: str, runs: StackRuns) -> None:
    groups = {resource.inputs["name"]: resource.inputs for resource in everything(runs) if resource.kind == "Group"}
    tiers = ("resolver", "mta", "proxy")
    assert set(groups) == {f"postroad-{stack}-{tier}-{letter}" for tier in tiers for letter in "abc"}
    for inputs in groups.values():
        assert inputs["minSize"] == inputs["maxSize"] == inputs["desiredCapacity"] >= 1
        assert (inputs["healthCheckType"], inputs["waitForCapacityTimeout"]) == ("EC2", "0")
        assert len(inputs["vpcZoneIdentifiers"]) == 1


def test_groups_of_a_zone_launch_into_that_zone(runs: StackRuns) -> None:
    zones = {resource.id: resource.inputs["availabilityZone"] for resource in runs["network"].of("Subnet")}
    for group in [*runs["dns"].of("Group"), *runs["mail"].of("Group")]:
        tags = {tag["key"]: tag["value"] for tag in group.inputs["tags"]}
        assert [zones[subnet] for subnet in group.inputs["vpcZoneIdentifiers"]] == [tags["Zone"]]


def test_ingress_comes_from_private_ranges_and_groups_only(runs: StackRuns) -> None:
    rules = [resource.inputs for resource in everything(runs) if resource.kind == "SecurityGroupIngressRule"]
    assert rules
    for rule in rules:
        assert rule.get("referencedSecurityGroupId") or IPv4Network(rule["cidrIpv4"]).is_private


def test_what_must_survive_is_protected_everywhere_but_in_local(stack: str) -> None:
    for project in PROJECTS:
        content = yaml.safe_load((FOLDER / project / f"Pulumi.{stack}.yaml").read_text())
        assert content["config"][f"{project}:settings"]["protection"]["protect"] is (stack != "local")


def test_vpcs_of_all_stacks_are_apart_so_that_any_two_can_be_peered(runs_of: Callable[..., StackRuns]) -> None:
    ranges = [IPv4Network(vpc.inputs["cidrBlock"]) for stack in STACKS for vpc in runs_of(stack)["network"].of("Vpc")]
    assert len(ranges) == 8
    assert not [(one, two) for one in ranges for two in ranges if one is not two and one.overlaps(two)]

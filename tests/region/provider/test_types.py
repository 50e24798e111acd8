"""Each type's life against the region's API: create, read, change by hand, refresh, update, import, delete."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from postroad_region.provider import registry
from postroad_region.provider.checking import Naming, check
from postroad_region.provider.lifecycle import Lifecycle

_spec = importlib.util.spec_from_file_location("provider_cases", Path(__file__).parent / "cases.py")
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
CASES, World = cases.CASES, cases.World


@pytest.fixture
def world(aws: Any) -> Any:
    return World(aws)


def checked(resource: Any, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    verdict = check(resource, olds, {k: v for k, v in news.items() if v is not None}, Naming("thing"))
    assert verdict.failures == []
    return verdict.inputs


def paths(differences: Any) -> list[str]:
    return [difference.path for difference in differences]


@pytest.fixture
def made(request: pytest.FixtureRequest, lifecycle: Lifecycle, world: Any) -> Any:
    case = request.param
    resource = registry.RESOURCES[case.type]
    inputs = checked(resource, {}, case.inputs(world))
    return case, resource, inputs, lifecycle.create(resource, "thing", inputs)


each = pytest.mark.parametrize("made", CASES, ids=str, indirect=True)


@each
def test_what_was_created_reads_back_the_same_and_differs_in_nothing(made: Any, lifecycle: Lifecycle) -> None:
    _, resource, inputs, created = made
    found = lifecycle.read(resource, created.id, created.state, inputs)
    assert found is not None
    assert found.id == created.id
    assert found.state == created.state
    assert found.inputs == inputs
    assert lifecycle.diff(resource, found.state, inputs) == []
    for name in resource.output_names:
        assert name in {**dict.fromkeys(resource.output_names), **found.state}


@each
def test_a_change_by_hand_is_seen_and_mended(made: Any, lifecycle: Lifecycle, world: Any) -> None:
    case, resource, inputs, created = made
    case.hand(world, created.id, created.state)
    found = lifecycle.read(resource, created.id, created.state, inputs)
    if not case.sees:
        assert found is None
        return
    assert found.inputs != inputs
    differences = lifecycle.diff(resource, found.state, inputs)
    assert any(path == case.sees or path.startswith(case.sees) for path in paths(differences)), differences
    if not case.only_grows and not any(difference.replaces for difference in differences):
        state = lifecycle.update(resource, "thing", created.id, found.state, inputs)
        assert lifecycle.diff(resource, state, inputs) == []


@each
def test_an_update_is_applied_in_place(made: Any, lifecycle: Lifecycle, world: Any) -> None:
    case, resource, inputs, created = made
    if case.update is None:
        pytest.skip("nothing of the type changes in place")
    wanted = checked(resource, inputs, {k: v for k, v in {**inputs, **case.update(world)}.items() if k != "__defaults"})
    differences = lifecycle.diff(resource, created.state, wanted)
    assert differences
    assert not any(difference.replaces for difference in differences), differences
    state = lifecycle.update(resource, "thing", created.id, created.state, wanted)
    assert lifecycle.diff(resource, state, wanted) == []
    found = lifecycle.read(resource, created.id, state, wanted)
    assert found is not None
    assert found.state == state
    assert found.inputs == wanted


@each
def test_an_import_gives_inputs_that_change_nothing(made: Any, lifecycle: Lifecycle) -> None:
    case, resource, inputs, created = made
    found = lifecycle.read(resource, case.import_id(created.id, created.state), {}, None)
    assert found is not None
    assert found.id == created.id
    assert lifecycle.diff(resource, found.state, checked(resource, {}, found.inputs)) == []
    kept = {prop.name for prop in resource.inputs if prop.kept}
    rest = {k: v for k, v in inputs.items() if k not in kept | case.aside | {"__defaults"}}
    assert [d for d in lifecycle.diff(resource, found.state, rest) if d.top not in kept | case.aside] == []


@each
def test_a_delete_removes_it_and_may_be_repeated(made: Any, lifecycle: Lifecycle) -> None:
    case, resource, inputs, created = made
    lifecycle.delete(resource, "thing", created.id, created.state, seconds=20)
    if not case.stays:
        assert lifecycle.read(resource, created.id, created.state, inputs) is None
    lifecycle.delete(resource, "thing", created.id, created.state, seconds=20)


def test_a_group_of_protected_instances_is_emptied_before_its_deletion(lifecycle: Lifecycle, world: Any) -> None:
    resource = registry.RESOURCES["aws:autoscaling/group:Group"]
    template = {"id": world.template, "version": "1"}
    sizes = {"minSize": 2, "maxSize": 2, "launchTemplate": template, "vpcZoneIdentifiers": [world.subnet]}
    inputs = checked(resource, {}, {"name": "mta", "protectFromScaleIn": True, "tags": [], **sizes})
    created = lifecycle.create(resource, "thing", inputs)
    lifecycle.delete(resource, "thing", created.id, created.state, seconds=20)
    assert world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []

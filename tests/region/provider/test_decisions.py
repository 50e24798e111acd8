"""The provider's pure decisions: what differs, what is wrong with inputs, what a resource is called."""

from typing import Any

import pytest
from postroad_region.provider.checking import Naming, check
from postroad_region.provider.compare import Change, differences, same_document
from postroad_region.provider.errors import ProviderError
from postroad_region.provider.lifecycle import rebuilt_inputs
from postroad_region.provider.naming import physical_name
from postroad_region.provider.registry import RESOURCES
from postroad_region.provider.resource import Autoname
from postroad_region.provider.schema import (
    block,
    block_set,
    blocks,
    boolean,
    document,
    integer,
    mapping,
    string,
    strings,
)
from postroad_region.provider.tagging import TagRules
from postroad_region.provider.wire import UNKNOWN, to_python, to_struct

PROPERTIES = (
    string("name", replaces=True),
    string("zone", computed=True),
    integer("size", default=4),
    boolean("open"),
    strings("groups"),
    document("policy"),
    mapping("labels"),
    block("options", fields=(string("tokens"), integer("hops", computed=True), boolean("on", default=True))),
    blocks("disks", fields=(string("device", replaces=True), integer("size"))),
    block_set("vpcs", fields=(string("id"), string("region", computed=True))),
)


@pytest.mark.parametrize(
    ("wanted", "state", "expected"),
    [
        ({}, {}, []),
        ({"name": "a"}, {"name": "a"}, []),
        ({"name": "b"}, {"name": "a"}, [("name", Change.UPDATE, True)]),
        ({"name": UNKNOWN}, {"name": "a"}, [("name", Change.UPDATE, True)]),
        ({}, {"zone": "us-east-1a"}, []),
        ({"zone": "us-east-1b"}, {"zone": "us-east-1a"}, [("zone", Change.UPDATE, False)]),
        ({}, {"size": 4}, []),
        ({}, {"size": 8}, [("size", Change.UPDATE, False)]),
        ({"size": 4.0}, {"size": 4}, []),
        ({}, {"open": False}, []),
        ({"open": False}, {}, []),
        ({}, {"open": True}, [("open", Change.DELETE, False)]),
        ({"groups": ["b", "a"]}, {"groups": ["a", "b"]}, []),
        ({"groups": []}, {}, []),
        ({"groups": ["a", UNKNOWN]}, {"groups": ["a"]}, [("groups", Change.UPDATE, False)]),
        ({}, {"groups": ["a"]}, [("groups", Change.DELETE, False)]),
        ({"policy": '{"A": ["x"]}'}, {"policy": '{ "A":"x" }'}, []),
        ({"labels": {"a": "1"}}, {"labels": {"a": "2", "b-c": "1"}}, [
            ("labels.a", Change.UPDATE, False),
            ('labels["b-c"]', Change.DELETE, False),
        ]),
        ({"options": {"tokens": "required"}}, {"options": {"tokens": "required", "hops": 1, "on": True}}, []),
        ({"options": {"tokens": "required"}}, {"options": {"tokens": "optional", "on": True}}, [
            ("options.tokens", Change.UPDATE, False),
        ]),
        ({}, {"options": {"hops": 1, "on": True}}, []),
        ({"disks": [{"device": "a", "size": 1}]}, {"disks": [{"device": "b", "size": 1}, {"device": "c"}]}, [
            ("disks[0].device", Change.UPDATE, True),
            ("disks[1]", Change.DELETE, False),
        ]),
        ({"vpcs": [{"id": "b"}, {"id": "a"}]}, {"vpcs": [{"id": "a", "region": "x"}, {"id": "b", "region": "x"}]}, []),
        ({"vpcs": [{"id": "b"}]}, {"vpcs": [{"id": "a", "region": "x"}]}, [("vpcs", Change.UPDATE, False)]),
    ],
)  # fmt: skip
def test_what_differs(wanted: dict[str, Any], state: dict[str, Any], expected: list[Any]) -> None:
    found = differences(PROPERTIES, wanted, {"size": 4, **state})
    assert [(d.path, d.change, d.replaces) for d in found] == expected


def test_ignored_paths_do_not_differ() -> None:
    state = {"size": 4, "name": "a", "labels": {"a": "1"}}
    wanted = {"name": "b", "labels": {"a": "2"}}
    assert differences(PROPERTIES, wanted, state, ignore=["name", "labels"]) == []
    assert [d.path for d in differences(PROPERTIES, wanted, state, ignore=["labels.a"])] == ["name"]


def test_documents_are_compared_as_policies_are_read() -> None:
    assert same_document('{"Action":["b","a"]}', '{"Action":["a","b"]}')
    assert not same_document('{"Action":"a"}', '{"Action":"b"}')
    assert same_document("no json", "no json")


def _check(token: str, news: dict[str, Any], olds: dict[str, Any] | None = None) -> Any:
    return check(RESOURCES[token], olds or {}, news, Naming("mta"))


@pytest.mark.parametrize(
    ("token", "inputs", "name", "says"),
    [
        ("aws:ec2/vpc:Vpc", {"cidrblock": "x"}, "cidrblock", "no property 'cidrblock'"),
        ("aws:ec2/subnet:Subnet", {"vpcId": "v"}, "cidrBlock", "needs property 'cidrBlock'"),
        (
            "aws:ebs/volume:Volume",
            {"availabilityZone": "a", "size": "big"},
            "size",
            "expected integer, got str 'big'",
        ),
        (
            "aws:ec2/launchTemplate:LaunchTemplate",
            {"metadataOptions": {"httpToken": "required"}},
            "metadataOptions.httpToken",
            "metadataOptions has no property 'httpToken'",
        ),
        (
            "aws:autoscaling/group:Group",
            {"minSize": 0, "maxSize": 1, "tags": [{"key": "a", "value": "b"}]},
            "tags[0].propagateAtLaunch",
            "needs property 'tags[0].propagateAtLaunch'",
        ),
        (
            "aws:ec2/route:Route",
            {"routeTableId": "r", "destinationCidrBlock": "a", "destinationPrefixListId": "b"},
            "destinationCidrBlock",
            "exactly one of",
        ),
    ],
)
def test_a_wrong_input_is_named(token: str, inputs: dict[str, Any], name: str, says: str) -> None:
    failures = _check(token, inputs).failures
    assert [(where, says in reason) for where, reason in failures] == [(name, True)]


def test_every_fault_is_reported_at_once() -> None:
    assert len(_check("aws:ec2/subnet:Subnet", {"a": 1, "b": 2}).failures) == 4


def test_texts_that_say_numbers_and_truths_are_taken_as_such() -> None:
    verdict = _check("aws:ebs/volume:Volume", {"availabilityZone": "a", "size": "4", "encrypted": "true"})
    assert verdict.failures == []
    assert (verdict.inputs["size"], verdict.inputs["encrypted"]) == (4, True)


def test_an_unknown_value_passes_the_check() -> None:
    assert _check("aws:ebs/volume:Volume", {"availabilityZone": UNKNOWN, "size": UNKNOWN}).failures == []


def test_a_name_once_given_by_the_provider_stays() -> None:
    first = _check("aws:ec2/securityGroup:SecurityGroup", {}).inputs
    assert _check("aws:ec2/securityGroup:SecurityGroup", {}, first).inputs["name"] == first["name"]
    own = _check("aws:ec2/securityGroup:SecurityGroup", {"name": "mine"}).inputs
    assert own["name"] == "mine"
    assert _check("aws:ec2/securityGroup:SecurityGroup", {}, own).inputs["name"] != "mine"


def test_names_are_the_logical_name_and_seven_digits_within_the_limit() -> None:
    assert physical_name(Autoname(), "mta", {}, seed=b"s").startswith("mta-")
    assert len(physical_name(Autoname(), "mta", {})) == len("mta-") + 7
    assert physical_name(Autoname(), "mta", {}, seed=b"s") == physical_name(Autoname(), "mta", {}, seed=b"s")
    assert len(physical_name(Autoname(longest=32), "m" * 60, {})) == 32
    assert physical_name(Autoname(lower=True), "MTA", {}).startswith("mta-")
    assert physical_name(Autoname(), "mta", {"namePrefix": "post"}).startswith("post")
    assert physical_name(Autoname(suffix=lambda _: ".fifo"), "mta", {}).endswith(".fifo")
    with pytest.raises(ProviderError, match="longer than the 10"):
        physical_name(Autoname(longest=10), "mta", {"namePrefix": "far-too-long"})


def test_default_tags_lie_under_the_own_ones_and_ignored_ones_are_not_seen() -> None:
    rules = TagRules({"Project": "postroad", "Tier": "x"}, frozenset({"by"}), ("k8s/",))
    assert rules.all({"Tier": "mta"}) == {"Project": "postroad", "Tier": "mta"}
    everything = rules.managed(
        {"aws:autoscaling:x": "1", "by": "me", "k8s/a": "1", "Project": "postroad", "Tier": "mta"}
    )
    assert everything == {"Project": "postroad", "Tier": "mta"}
    assert rules.own(everything, None) == {"Tier": "mta"}
    assert rules.own(everything, {"Project": "postroad"}) == everything


def test_a_refresh_keeps_what_the_program_wrote_where_it_still_holds() -> None:
    volume = RESOURCES["aws:ebs/volume:Volume"]
    state = {"availabilityZone": "a", "size": 8, "iops": 3000, "encrypted": False, "tags": {"Hand": "made"}}
    rebuilt = rebuilt_inputs(volume, state, {"availabilityZone": "a", "size": 4, "__defaults": ["finalSnapshot"]})
    assert rebuilt == {"availabilityZone": "a", "size": 8, "tags": {"Hand": "made"}, "__defaults": ["finalSnapshot"]}


def test_values_survive_the_way_over_the_wire() -> None:
    values = {"a": 1, "b": 1.5, "c": True, "d": ["x", {"e": "f"}], "g": {}}
    assert to_python(to_struct({**values, "none": None})) == values
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hidden"}
    assert to_python(to_struct({"s": secret})) == {"s": "hidden"}

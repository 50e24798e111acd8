"""The invokes (`aws.get_region()` and the like) that the provider answers."""

from collections.abc import Callable, Mapping
from typing import Any

from .cloud import Cloud
from .errors import ProviderError
from .wire import has_unknown

Clouds = Callable[[str | None], Cloud]


def invoke(clouds: Clouds, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a function.

    Raises:
        ProviderError: the function isn't known, or AWS refused.
    """
    function = FUNCTIONS.get(token)
    if function is None:
        known = ", ".join(sorted(FUNCTIONS))
        raise ProviderError(f"the stand-in aws provider doesn't know this function; it knows {known}")
    if has_unknown(args):
        raise ProviderError("its arguments aren't known yet")
    return function(clouds(args.get("region")), args)


def _region(cloud: Cloud, args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": cloud.region,
        "name": cloud.region,
        "region": cloud.region,
        "endpoint": f"ec2.{cloud.region}.amazonaws.com",
        "description": cloud.region,
    }


def _caller(cloud: Cloud, args: Mapping[str, Any]) -> dict[str, Any]:
    reply = cloud.call("sts", "get_caller_identity")
    return {"id": reply["Account"], "accountId": reply["Account"], "arn": reply["Arn"], "userId": reply["UserId"]}


def _partition(cloud: Cloud, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}


def _filters(args: Mapping[str, Any]) -> dict[str, Any]:
    given = args.get("filters") or []
    return {"Filters": [{"Name": item["name"], "Values": item["values"]} for item in given]} if given else {}


def _zones(cloud: Cloud, args: Mapping[str, Any]) -> dict[str, Any]:
    reply = cloud.call("ec2", "describe_availability_zones", **_filters(args))
    excluded = {*(args.get("excludeNames") or ()), *(args.get("excludeZoneIds") or ())}
    wanted = args.get("state")
    zones = [
        zone
        for zone in reply["AvailabilityZones"]
        if not {zone["ZoneName"], zone.get("ZoneId")} & excluded and wanted in (None, zone["State"])
    ]
    zones.sort(key=lambda zone: str(zone["ZoneName"]))
    return {
        **args,
        "id": cloud.region,
        "region": cloud.region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone.get("ZoneId", "") for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or cloud.region for zone in zones}),
    }


def _prefix_list(cloud: Cloud, args: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _filters(args)
    if args.get("prefixListId"):
        parameters["PrefixListIds"] = [args["prefixListId"]]
    lists = cloud.call("ec2", "describe_prefix_lists", **parameters)["PrefixLists"]
    if args.get("name"):
        lists = [item for item in lists if item["PrefixListName"] == args["name"]]
    if len(lists) != 1:
        raise ProviderError(f"{len(lists)} prefix lists match {dict(args)}; it must be one")
    found = lists[0]
    return {
        **args,
        "id": found["PrefixListId"],
        "prefixListId": found["PrefixListId"],
        "name": found["PrefixListName"],
        "cidrBlocks": list(found.get("Cidrs") or []),
        "region": cloud.region,
    }


FUNCTIONS: Mapping[str, Callable[[Cloud, Mapping[str, Any]], dict[str, Any]]] = {
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:ec2/getPrefixList:getPrefixList": _prefix_list,
}

"""Hosted zones and records. Route 53 is global: its types have no region."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, only, request_token
from ..schema import Property, State, block_set, blocks, boolean, from_aws, integer, string, strings
from ..tagging import from_pairs, to_pairs

_ZONE = (
    string("name", aws=None, replaces=True, same=lambda a, b: _plain(a) == _plain(b)),
    string("comment", default="Managed by Pulumi", aws=None),
    boolean("forceDestroy", kept=True, default=False),
    block_set(
        "vpcs",
        aws=None,
        fields=(string("vpcId", aws="VPCId", required=True), string("vpcRegion", aws="VPCRegion", computed=True)),
    ),
)


def _plain(name: str) -> str:
    """A DNS name for comparison: lower case, no dot at the end, `*` instead of Route 53's escape."""
    return name.rstrip(".").lower().replace("\\052", "*")


def _vpc(cloud: Cloud, vpc: Mapping[str, Any]) -> dict[str, str]:
    return {"VPCId": vpc["vpcId"], "VPCRegion": vpc.get("vpcRegion") or cloud.region}


def _create_zone(task: Task) -> str:
    reference = request_token()
    parameters: dict[str, Any] = {
        "Name": task.get("name"),
        "CallerReference": reference,
        "HostedZoneConfig": {"Comment": task.get("comment") or "", "PrivateZone": bool(task.get("vpcs"))},
    }
    if task.get("vpcs"):
        parameters["VPC"] = _vpc(task.cloud, task.inputs["vpcs"][0])

    def find() -> str | None:
        zones = task.cloud.call("route53", "list_hosted_zones_by_name", DNSName=task.get("name"))["HostedZones"]
        found = only([zone for zone in zones if zone["CallerReference"] == reference])
        return _zone_id(found["Id"]) if found else None

    def attempt() -> str:
        reply = task.cloud.call("route53", "create_hosted_zone", **parameters)
        _wait(task, reply)
        return _zone_id(reply["HostedZone"]["Id"])

    return task.cloud.creating(attempt, find)


def _zone_id(text: str) -> str:
    return text.rpartition("/")[2]


def _wait(task: Task, reply: Mapping[str, Any]) -> None:
    """Until Route 53's servers know the change."""
    change = reply.get("ChangeInfo") or {}
    if not change.get("Id") or change.get("Status") == "INSYNC":
        return
    number = _zone_id(change["Id"])
    task.cloud.wait_until(
        lambda: task.cloud.call("route53", "get_change", Id=number)["ChangeInfo"]["Status"] == "INSYNC",
        seconds=task.patience,
        what=f"change {number} to be in sync",
    )


def _settle_zone(task: Task, identifier: str) -> None:
    if task.fresh:
        if task.tags:
            _write_zone_tags(task.cloud, identifier, {}, task.tags, [])
        present = [_vpc(task.cloud, vpc)["VPCId"] for vpc in (task.get("vpcs") or [])[:1]]
    else:
        present = [vpc["vpcId"] for vpc in task.state.get("vpcs") or []]
    if task.touches("comment") and not task.fresh:
        task.cloud.call("route53", "update_hosted_zone_comment", Id=identifier, Comment=task.get("comment") or "")
    if not task.touches("vpcs"):
        return
    wanted = {vpc["vpcId"]: _vpc(task.cloud, vpc) for vpc in task.get("vpcs") or []}
    for number in sorted(set(wanted) - set(present)):
        reply = task.cloud.call(
            "route53",
            "associate_vpc_with_hosted_zone",
            repeated=("ConflictingDomainExists",),
            HostedZoneId=identifier,
            VPC=wanted[number],
        )
        _wait(task, reply)
    old = {vpc["vpcId"]: _vpc(task.cloud, vpc) for vpc in task.state.get("vpcs") or []}
    for number in sorted(set(present) - set(wanted)):
        reply = task.cloud.call(
            "route53",
            "disassociate_vpc_from_hosted_zone",
            repeated=("VPCAssociationNotFound",),
            HostedZoneId=identifier,
            VPC=old[number],
        )
        _wait(task, reply)


def _get_zone(cloud: Cloud, identifier: str) -> dict[str, Any] | None:
    try:
        return cloud.call("route53", "get_hosted_zone", Id=identifier)
    except AwsError as error:
        if error.gone:
            return None
        raise


def _read_zone(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _get_zone(cloud, identifier)
    if reply is None:
        return None
    zone = reply["HostedZone"]
    tags = cloud.call("route53", "list_tags_for_resource", ResourceType="hostedzone", ResourceId=identifier)
    servers = sorted((reply.get("DelegationSet") or {}).get("NameServers") or [])
    vpcs = [from_aws(_field("vpcs").fields, vpc) for vpc in reply.get("VPCs") or []]
    return {
        "name": zone["Name"].rstrip("."),
        "comment": (zone.get("Config") or {}).get("Comment") or "",
        "vpcs": sorted(vpcs, key=lambda vpc: str(vpc["vpcId"])),
        "zoneId": identifier,
        "nameServers": servers,
        "primaryNameServer": servers[0] if servers else None,
        "arn": f"arn:aws:route53:::hostedzone/{identifier}",
        "tags": from_pairs(tags["ResourceTagSet"].get("Tags")),
    }


def _field(name: str) -> Property:
    return next(prop for prop in _ZONE if prop.name == name)


def _write_zone_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    changes: dict[str, Any] = {}
    if add:
        changes["AddTags"] = to_pairs(add)
    if remove:
        changes["RemoveTagKeys"] = remove
    if changes:
        cloud.call("route53", "change_tags_for_resource", ResourceType="hostedzone", ResourceId=identifier, **changes)


def _delete_zone(task: Task, identifier: str) -> None:
    zone = _get_zone(task.cloud, identifier)
    if zone is None:
        return
    if task.state.get("forceDestroy"):
        apex = _plain(zone["HostedZone"]["Name"])
        doomed = [
            {"Action": "DELETE", "ResourceRecordSet": item}
            for item in _record_sets(task.cloud, identifier)
            if not (item["Type"] in ("NS", "SOA") and _plain(item["Name"]) == apex)
        ]
        for start in range(0, len(doomed), 100):
            _change(task, identifier, doomed[start : start + 100])
    try:
        _wait(task, task.cloud.call("route53", "delete_hosted_zone", Id=identifier))
    except AwsError as error:
        if not error.gone:
            raise


def _record_sets(cloud: Cloud, zone: str, **start: str) -> list[dict[str, Any]]:
    """All record sets of a zone, from a name on."""
    items: list[dict[str, Any]] = []
    while True:
        reply = cloud.call("route53", "list_resource_record_sets", HostedZoneId=zone, **start)
        items += reply["ResourceRecordSets"]
        if not reply.get("IsTruncated"):
            return items
        keys = ("StartRecordName", "NextRecordName"), ("StartRecordType", "NextRecordType")
        start = {to: reply[source] for to, source in keys if reply.get(source)}
        if reply.get("NextRecordIdentifier"):
            start["StartRecordIdentifier"] = reply["NextRecordIdentifier"]


def _change(task: Task, zone: str, changes: list[dict[str, Any]]) -> None:
    reply = task.cloud.call(
        "route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": changes}
    )
    _wait(task, reply)


_RECORD = (
    string("zoneId", aws=None, required=True, replaces=True),
    string("name", aws=None, required=True, replaces=True, same=lambda a, b: _plain(a) == _plain(b)),
    string("type", required=True),
    integer("ttl", aws="TTL"),
    strings("records", aws=None),
    blocks(
        "aliases",
        aws=None,
        fields=(
            string("name", aws="DNSName", required=True, same=lambda a, b: _plain(a) == _plain(b)),
            string("zoneId", aws="HostedZoneId", required=True),
            boolean("evaluateTargetHealth", required=True),
        ),
    ),
    string("setIdentifier", replaces=True),
    string("healthCheckId"),
    boolean("multivalueAnswerRoutingPolicy", aws="MultiValueAnswer"),
    blocks("weightedRoutingPolicies", aws=None, fields=(integer("weight", required=True),)),
    blocks("failoverRoutingPolicies", aws=None, fields=(string("type", required=True),)),
    boolean("allowOverwrite", kept=True, default=False),
)
_TEXTS = ("TXT", "SPF")


def _full_name(name: str, zone: str) -> str:
    """A record's name in full; programs may leave the zone off."""
    plain, apex = _plain(name), _plain(zone)
    if not plain:
        return apex
    return plain if plain == apex or plain.endswith("." + apex) else f"{plain}.{apex}"


def _record_set(task: Task, inputs: Mapping[str, Any], zone: str) -> dict[str, Any]:
    fields = [prop for prop in _RECORD if prop.aws]
    record: dict[str, Any] = {"Name": _full_name(inputs["name"], zone)}
    record.update({prop.aws: inputs[prop.name] for prop in fields if prop.aws and inputs.get(prop.name)})
    if "ttl" in inputs:
        record["TTL"] = int(inputs["ttl"])
    if inputs.get("records"):
        quote = inputs["type"] in _TEXTS
        record["ResourceRecords"] = [{"Value": f'"{v}"' if quote else v} for v in inputs["records"]]
    if inputs.get("aliases"):
        alias = inputs["aliases"][0]
        record["AliasTarget"] = {
            "DNSName": alias["name"],
            "HostedZoneId": alias["zoneId"],
            "EvaluateTargetHealth": bool(alias["evaluateTargetHealth"]),
        }
    if inputs.get("weightedRoutingPolicies"):
        record["Weight"] = int(inputs["weightedRoutingPolicies"][0]["weight"])
    if inputs.get("failoverRoutingPolicies"):
        record["Failover"] = inputs["failoverRoutingPolicies"][0]["type"]
    return record


def _zone_name(cloud: Cloud, zone: str) -> str:
    reply = _get_zone(cloud, zone)
    if reply is None:
        raise ProviderError(f"hosted zone {zone} doesn't exist")
    return str(reply["HostedZone"]["Name"])


def _create_record(task: Task) -> str:
    zone = task.inputs["zoneId"]
    name = _zone_name(task.cloud, zone)
    action = "UPSERT" if task.get("allowOverwrite") else "CREATE"
    record = _record_set(task, task.inputs, name)
    if ("records" in task.inputs) is ("aliases" in task.inputs):
        raise ProviderError("a record takes either records (with ttl) or aliases")
    reply = task.cloud.call(
        "route53",
        "change_resource_record_sets",
        repeated=("InvalidChangeBatch",),
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
    )
    _wait(task, reply)
    parts = [zone, record["Name"], task.get("type")]
    return "_".join([*parts, *([task.inputs["setIdentifier"]] if task.get("setIdentifier") else [])])


def _settle_record(task: Task, identifier: str) -> None:
    """A record of another type is another record set, so a change of type removes one and makes one, in one batch."""
    if task.fresh:
        return
    zone = task.inputs["zoneId"]
    name = _zone_name(task.cloud, zone)
    changes = []
    if task.touches("type"):
        changes.append({"Action": "DELETE", "ResourceRecordSet": _record_set(task, task.state, name)})
    changes.append({"Action": "UPSERT", "ResourceRecordSet": _record_set(task, task.inputs, name)})
    _change(task, zone, changes)


def _find_record(cloud: Cloud, zone: str, name: str, kind: str, set_identifier: str | None) -> dict[str, Any] | None:
    start = {"StartRecordName": name, "StartRecordType": kind}
    reply = cloud.call("route53", "list_resource_record_sets", HostedZoneId=zone, MaxItems="100", **start)
    for item in reply["ResourceRecordSets"]:
        if (_plain(item["Name"]), item["Type"], item.get("SetIdentifier")) == (_plain(name), kind, set_identifier):
            return dict(item)
    return None


def _read_record(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    if known.get("zoneId"):
        zone, name, kind = known["zoneId"], known["name"], known["type"]
        set_identifier = known.get("setIdentifier")
    else:
        zone, name, kind, set_identifier = _parse_record_id(identifier)
    found_zone = _get_zone(cloud, zone)
    if found_zone is None:
        return None
    full = _full_name(name, found_zone["HostedZone"]["Name"])
    record = _find_record(cloud, zone, full, kind, set_identifier)
    if record is None:
        return None
    state = from_aws([prop for prop in _RECORD if prop.aws], record)
    values = [item["Value"] for item in record.get("ResourceRecords") or []]
    if kind in _TEXTS:
        values = [value[1:-1] if value[:1] == value[-1:] == '"' else value for value in values]
    alias = record.get("AliasTarget")
    aliases = next(prop for prop in _RECORD if prop.name == "aliases")
    weight, failover = record.get("Weight"), record.get("Failover")
    return {
        **state,
        "zoneId": zone,
        "name": name if known.get("name") else full,
        "fqdn": full,
        "records": sorted(values) or None,
        "aliases": [from_aws(aliases.fields, alias)] if alias else None,
        "weightedRoutingPolicies": [{"weight": int(weight)}] if weight is not None else None,
        "failoverRoutingPolicies": [{"type": failover}] if failover else None,
        "id": identifier if known else "_".join(filter(None, [zone, full, kind, set_identifier])),
    }


def _parse_record_id(identifier: str) -> tuple[str, str, str, str | None]:
    """`<zone>_<name>_<type>[_<set identifier>]`; names may hold underscores, types never do."""
    zone, _, rest = identifier.partition("_")
    parts = rest.split("_")
    for index in range(len(parts) - 1, 0, -1):
        if parts[index] in _TYPES:
            return zone, "_".join(parts[:index]), parts[index], "_".join(parts[index + 1 :]) or None
    raise ProviderError(f"a record is imported as <zone>_<name>_<type>[_<set identifier>], not {identifier!r}")


_TYPES = frozenset(
    [
        "A",
        "AAAA",
        "CAA",
        "CNAME",
        "DS",
        "HTTPS",
        "MX",
        "NAPTR",
        "NS",
        "PTR",
        "SOA",
        "SPF",
        "SRV",
        "SSHFP",
        "SVCB",
        "TLSA",
        "TXT",
    ]
)


def _delete_record(task: Task, identifier: str) -> None:
    zone = task.state["zoneId"]
    found = _get_zone(task.cloud, zone)
    if found is None:
        return
    name = _full_name(task.state["name"], found["HostedZone"]["Name"])
    record = _find_record(task.cloud, zone, name, task.state["type"], task.state.get("setIdentifier"))
    if record is not None:
        _change(task, zone, [{"Action": "DELETE", "ResourceRecordSet": record}])


RESOURCES = (
    Resource(
        type="aws:route53/zone:Zone",
        properties=_ZONE,
        outputs=("arn", "nameServers", "primaryNameServer", "zoneId"),
        create=_create_zone,
        settle=_settle_zone,
        read=_read_zone,
        delete=_delete_zone,
        write_tags=_write_zone_tags,
        regional=False,
        autoname=Autoname(prefix=None),
        import_id="the zone id",
    ),
    Resource(
        type="aws:route53/record:Record",
        properties=_RECORD,
        outputs=("fqdn",),
        create=_create_record,
        settle=_settle_record,
        read=_read_record,
        delete=_delete_record,
        regional=False,
        delete_first=True,
        import_id="<zone>_<name>_<type>[_<set identifier>]",
    ),
)

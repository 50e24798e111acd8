"""Key pairs and launch templates."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError
from ..resource import Autoname, Resource, Task, only, unless_gone
from ..schema import (
    State,
    block,
    blocks,
    boolean,
    flag,
    from_aws,
    integer,
    mapping,
    string,
    strings,
    to_aws,
)
from ..tagging import from_pairs, to_pairs
from .ec2 import TEMPLATES, Document, create_tagged, describe, tags_of, write_tags


def _same_key(left: str, right: str) -> bool:
    """The type and the key itself; the comment behind them says nothing."""
    return left.split()[:2] == right.split()[:2]


_KEY = (
    string("keyName", replaces=True),
    string("keyNamePrefix", kept=True, replaces=True),
    string("publicKey", required=True, replaces=True, same=_same_key),
)


def _create_key(task: Task) -> str:
    name, material = task.inputs["keyName"], task.inputs["publicKey"].encode()
    create_tagged(task, "import_key_pair", "key-pair", ("KeyPairId",), KeyName=name, PublicKeyMaterial=material)
    return str(name)


def _key(cloud: Cloud, name: str) -> Document | None:
    filters = [{"Name": "key-name", "Values": [name]}]
    reply = cloud.call("ec2", "describe_key_pairs", Filters=filters, IncludePublicKey=True)
    found: Document | None = only(reply["KeyPairs"])
    return found


def _read_key(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    key = _key(cloud, identifier)
    if key is None:
        return None
    return {
        "keyName": key["KeyName"],
        "publicKey": (key.get("PublicKey") or "").strip() or known.get("publicKey"),
        "keyPairId": key.get("KeyPairId"),
        "keyType": key.get("KeyType"),
        "fingerprint": key.get("KeyFingerprint"),
        "arn": cloud.arn("ec2", f"key-pair/{identifier}"),
        "tags": tags_of(key),
    }


def _write_key_tags(
    cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]
) -> None:
    write_tags(cloud, state["keyPairId"], state, add, remove)


def _delete_key(task: Task, identifier: str) -> None:
    unless_gone(lambda: task.cloud.call("ec2", "delete_key_pair", KeyName=identifier))


_DATA = (
    string("imageId"),
    string("instanceType"),
    string("keyName"),
    string("userData"),
    string("kernelId"),
    string("ramDiskId"),
    flag("ebsOptimized"),
    boolean("disableApiTermination"),
    boolean("disableApiStop"),
    string("instanceInitiatedShutdownBehavior"),
    strings("securityGroupNames", aws="SecurityGroups"),
    strings("vpcSecurityGroupIds", aws="SecurityGroupIds"),
    block("iamInstanceProfile", fields=(string("arn"), string("name"))),
    block("monitoring", fields=(boolean("enabled"),)),
    block(
        "metadataOptions",
        fields=(
            string("httpEndpoint", computed=True),
            string("httpProtocolIpv6", computed=True),
            integer("httpPutResponseHopLimit", computed=True),
            string("httpTokens", computed=True),
            string("instanceMetadataTags", computed=True),
        ),
    ),
    block("creditSpecification", fields=(string("cpuCredits"),)),
    block(
        "cpuOptions",
        fields=(string("amdSevSnp"), integer("coreCount"), integer("threadsPerCore")),
    ),
    block("maintenanceOptions", fields=(string("autoRecovery"),)),
    block("enclaveOptions", fields=(boolean("enabled"),)),
    block(
        "placement",
        fields=(
            string("affinity"),
            string("availabilityZone"),
            string("groupName"),
            string("hostId"),
            integer("partitionNumber"),
            string("spreadDomain"),
            string("tenancy"),
        ),
    ),
    block(
        "privateDnsNameOptions",
        fields=(
            boolean("enableResourceNameDnsARecord"),
            boolean("enableResourceNameDnsAaaaRecord", aws="EnableResourceNameDnsAAAARecord"),
            string("hostnameType"),
        ),
    ),
    blocks(
        "blockDeviceMappings",
        fields=(
            string("deviceName"),
            string("noDevice"),
            string("virtualName"),
            block(
                "ebs",
                fields=(
                    flag("deleteOnTermination"),
                    flag("encrypted"),
                    integer("iops", computed=True),
                    string("kmsKeyId"),
                    string("snapshotId"),
                    integer("throughput", computed=True),
                    integer("volumeSize", computed=True),
                    string("volumeType", computed=True),
                ),
            ),
        ),
    ),
    blocks(
        "networkInterfaces",
        fields=(
            flag("associatePublicIpAddress"),
            flag("associateCarrierIpAddress"),
            block(
                "connectionTrackingSpecification",
                fields=(integer("tcpEstablishedTimeout"), integer("udpStreamTimeout"), integer("udpTimeout")),
            ),
            flag("deleteOnTermination"),
            string("description"),
            integer("deviceIndex", default=0),
            string("interfaceType"),
            integer("ipv4AddressCount", aws="SecondaryPrivateIpAddressCount"),
            integer("networkCardIndex", default=0),
            string("networkInterfaceId"),
            string("privateIpAddress"),
            strings("securityGroups", aws="Groups"),
            string("subnetId"),
        ),
    ),
    blocks("tagSpecifications", aws=None, fields=(string("resourceType"), mapping("tags", aws=None))),
)
_TEMPLATE = (
    string("name", aws="LaunchTemplateName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("description", aws="VersionDescription"),
    integer("defaultVersion", aws=None, computed=True, imported=False),
    boolean("updateDefaultVersion", kept=True),
    *_DATA,
)
_VERSIONED = frozenset(prop.name for prop in _DATA) | {"description"}


def _data(inputs: Mapping[str, Any]) -> Document:
    data = to_aws(_DATA, inputs)
    if inputs.get("tagSpecifications"):
        data["TagSpecifications"] = [
            {"ResourceType": item.get("resourceType"), "Tags": to_pairs(item.get("tags") or {})}
            for item in inputs["tagSpecifications"]
        ]
    return data


def _create_template(task: Task) -> str:
    parameters: Document = {"LaunchTemplateName": task.get("name"), "LaunchTemplateData": _data(task.inputs)}
    if task.get("description"):
        parameters["VersionDescription"] = task.get("description")

    path = ("LaunchTemplate", "LaunchTemplateId")
    return create_tagged(task, "create_launch_template", "launch-template", path, **parameters)


def _settle_template(task: Task, identifier: str) -> None:
    """A change of the data is a new version; the default moves with it if the program says so."""
    newest: int | None = None
    if not task.fresh and task.touches(*_VERSIONED):
        parameters: Document = {"LaunchTemplateId": identifier, "LaunchTemplateData": _data(task.inputs)}
        if task.get("description"):
            parameters["VersionDescription"] = task.get("description")
        newest = task.cloud.creating(
            lambda: int(
                task.cloud.call("ec2", "create_launch_template_version", **parameters)["LaunchTemplateVersion"][
                    "VersionNumber"
                ]
            ),
            lambda: _newer(task, identifier),
        )
    default = task.get("defaultVersion") if task.touches("defaultVersion") else None
    if task.get("updateDefaultVersion") and (newest or task.touches("updateDefaultVersion")) and not task.fresh:
        default = newest or (_read_template(task.cloud, identifier, {}) or {}).get("latestVersion")
    if default is not None:
        task.cloud.call("ec2", "modify_launch_template", LaunchTemplateId=identifier, DefaultVersion=str(int(default)))


def _newer(task: Task, identifier: str) -> int | None:
    template = describe(task.cloud, TEMPLATES, identifier) or {}
    latest = int(template.get("LatestVersionNumber", 0))
    return latest if latest > int(task.state.get("latestVersion", 0)) else None


def _read_template(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    template = describe(cloud, TEMPLATES, identifier)
    if template is None:
        return None
    reply = cloud.call("ec2", "describe_launch_template_versions", LaunchTemplateId=identifier, Versions=["$Latest"])
    version = reply["LaunchTemplateVersions"][0]
    data = version.get("LaunchTemplateData") or {}
    state = from_aws(_DATA, data)
    specifications = [
        {"resourceType": item["ResourceType"], "tags": from_pairs(item.get("Tags"))}
        for item in data.get("TagSpecifications") or []
        # A template can't launch templates: moto mixes the template's own tags in, AWS doesn't.
        if item["ResourceType"] != "launch-template"
    ]
    if specifications:
        state["tagSpecifications"] = specifications
    return {
        **state,
        "name": template["LaunchTemplateName"],
        "description": version.get("VersionDescription") or None,
        "defaultVersion": int(template["DefaultVersionNumber"]),
        "latestVersion": int(template["LatestVersionNumber"]),
        "arn": cloud.arn("ec2", f"launch-template/{identifier}"),
        "tags": tags_of(template),
    }


def _delete_template(task: Task, identifier: str) -> None:
    try:
        task.cloud.call("ec2", "delete_launch_template", LaunchTemplateId=identifier)
    except AwsError as error:
        if not error.gone:
            raise


RESOURCES = (
    Resource(
        type="aws:ec2/keyPair:KeyPair",
        properties=_KEY,
        outputs=("arn", "fingerprint", "keyPairId", "keyType"),
        create=_create_key,
        read=_read_key,
        delete=_delete_key,
        write_tags=_write_key_tags,
        autoname=Autoname("keyName", "keyNamePrefix"),
        import_id="the key's name",
    ),
    Resource(
        type="aws:ec2/launchTemplate:LaunchTemplate",
        properties=_TEMPLATE,
        outputs=("arn", "latestVersion"),
        create=_create_template,
        settle=_settle_template,
        read=_read_template,
        delete=_delete_template,
        write_tags=write_tags,
        autoname=Autoname(longest=125),
        volatile=("latestVersion", "defaultVersion"),
    ),
)

"""IAM roles, policies and instance profiles. IAM is global: its types have no region."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, delete_when_free, only, unless_gone
from ..schema import State, boolean, document, from_aws, integer, string, strings
from ..tagging import from_pairs, to_pairs

PROPAGATION = 120.0
"""Seconds that a new role may take until other services know it."""


def _call(cloud: Cloud, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """An IAM read, or None if the entity doesn't exist."""
    try:
        return cloud.call("iam", operation, **parameters)
    except AwsError as error:
        if error.gone:
            return None
        raise


def _text(policy: Any) -> str:
    """A policy document as text; boto3 decodes some."""
    return policy if isinstance(policy, str) else json.dumps(policy)


def _tag_writer(kind: str, key: str) -> Any:
    def write(cloud: Cloud, identifier: str, state: Mapping[str, Any], add: dict[str, str], remove: list[str]) -> None:
        if remove:
            cloud.call("iam", f"untag_{kind}", **{key: identifier}, TagKeys=remove)
        if add:
            cloud.call("iam", f"tag_{kind}", **{key: identifier}, Tags=to_pairs(add))

    return write


def _date(entity: Mapping[str, Any]) -> str | None:
    created = entity.get("CreateDate")
    return created.isoformat() if created else None


_EXISTS = ("EntityAlreadyExists",)
_ROLE = (
    string("name", aws="RoleName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    document("assumeRolePolicy", aws="AssumeRolePolicyDocument", required=True),
    string("description"),
    boolean("forceDetachPolicies", kept=True, default=False),
    strings("managedPolicyArns", aws=None, computed=True, imported=False),
    integer("maxSessionDuration", default=3600),
    string("path", default="/", replaces=True),
    string("permissionsBoundary", aws=None),
)


def _create_role(task: Task) -> str:
    parameters = task.parameters(_ROLE)
    if task.get("permissionsBoundary"):
        parameters["PermissionsBoundary"] = task.get("permissionsBoundary")
    task.cloud.call("iam", "create_role", repeated=_EXISTS, Tags=to_pairs(task.tags), **parameters)
    return str(task.get("name"))


def _settle_role(task: Task, identifier: str) -> None:
    call = partial(task.cloud.call, "iam")
    if task.touches("managedPolicyArns"):
        wanted, old = set(task.get("managedPolicyArns") or []), set(task.state.get("managedPolicyArns") or [])
        for arn in sorted(old - wanted):
            unless_gone(partial(call, "detach_role_policy", RoleName=identifier, PolicyArn=arn))
        for arn in sorted(wanted - old):
            call("attach_role_policy", RoleName=identifier, PolicyArn=arn)
    if task.fresh:
        return
    if task.touches("assumeRolePolicy"):
        call("update_assume_role_policy", RoleName=identifier, PolicyDocument=task.get("assumeRolePolicy"))
    if task.touches("description", "maxSessionDuration"):
        call(
            "update_role",
            RoleName=identifier,
            Description=task.get("description") or "",
            MaxSessionDuration=int(task.inputs["maxSessionDuration"]),
        )
    if task.touches("permissionsBoundary"):
        boundary = task.get("permissionsBoundary")
        if boundary:
            call("put_role_permissions_boundary", RoleName=identifier, PermissionsBoundary=boundary)
        else:
            call("delete_role_permissions_boundary", RoleName=identifier)


def _read_role(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _call(cloud, "get_role", RoleName=identifier)
    if reply is None:
        return None
    role = reply["Role"]
    state = from_aws(_ROLE, role)
    attached = None
    if known.get("managedPolicyArns"):
        # Reported only where the role itself declares them: else each RolePolicyAttachment would look like a change.
        reply = cloud.call("iam", "list_attached_role_policies", RoleName=identifier)
        attached = sorted(item["PolicyArn"] for item in reply["AttachedPolicies"])
    return {
        **state,
        "description": role.get("Description") or None,
        "assumeRolePolicy": _text(role["AssumeRolePolicyDocument"]),
        "managedPolicyArns": attached,
        "permissionsBoundary": (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
        "arn": role["Arn"],
        "uniqueId": role["RoleId"],
        "createDate": _date(role),
        "tags": from_pairs(role.get("Tags")),
    }


def _delete_role(task: Task, identifier: str) -> None:
    """As the real provider: what still hangs on the role is removed with `forceDetachPolicies`, profiles always."""
    call = partial(task.cloud.call, "iam")
    profiles = _call(task.cloud, "list_instance_profiles_for_role", RoleName=identifier) or {}
    for profile in profiles.get("InstanceProfiles") or []:
        name = profile["InstanceProfileName"]
        unless_gone(partial(call, "remove_role_from_instance_profile", InstanceProfileName=name, RoleName=identifier))
    declared = task.state.get("managedPolicyArns") or []
    if task.state.get("forceDetachPolicies") or declared:
        attached = _call(task.cloud, "list_attached_role_policies", RoleName=identifier) or {}
        for item in attached.get("AttachedPolicies") or []:
            unless_gone(partial(call, "detach_role_policy", RoleName=identifier, PolicyArn=item["PolicyArn"]))
    if task.state.get("forceDetachPolicies"):
        inline = _call(task.cloud, "list_role_policies", RoleName=identifier) or {}
        for name in inline.get("PolicyNames") or []:
            unless_gone(partial(call, "delete_role_policy", RoleName=identifier, PolicyName=name))
    unless_gone(lambda: call("delete_role", RoleName=identifier))


_INLINE = (
    string("name", aws="PolicyName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("role", aws="RoleName", required=True, replaces=True),
    document("policy", aws="PolicyDocument", required=True),
)


def _put_inline(task: Task) -> None:
    task.cloud.call("iam", "put_role_policy", **task.parameters(_INLINE))


def _create_inline(task: Task) -> str:
    _put_inline(task)
    return f"{task.get('role')}:{task.get('name')}"


def _settle_inline(task: Task, identifier: str) -> None:
    if not task.fresh:
        _put_inline(task)


def _read_inline(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    role, _, name = identifier.partition(":")
    if not name:
        raise ProviderError(f"a role policy is imported as <role>:<policy>, not {identifier!r}")
    reply = _call(cloud, "get_role_policy", RoleName=role, PolicyName=name)
    if reply is None:
        return None
    return {"role": role, "name": name, "policy": _text(reply["PolicyDocument"])}


def _delete_inline(task: Task, identifier: str) -> None:
    role, _, name = identifier.partition(":")
    unless_gone(lambda: task.cloud.call("iam", "delete_role_policy", RoleName=role, PolicyName=name))


_ATTACHED = (
    string("role", aws="RoleName", required=True, replaces=True),
    string("policyArn", required=True, replaces=True),
)


def _create_attached(task: Task) -> str:
    task.cloud.call("iam", "attach_role_policy", **task.parameters(_ATTACHED))
    return f"{task.get('role')}/{task.get('policyArn')}"


def _read_attached(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    role, _, arn = identifier.partition("/")
    reply = _call(cloud, "list_attached_role_policies", RoleName=role) or {}
    if arn not in (item["PolicyArn"] for item in reply.get("AttachedPolicies") or []):
        return None
    return {"role": role, "policyArn": arn}


def _delete_attached(task: Task, identifier: str) -> None:
    role, _, arn = identifier.partition("/")
    unless_gone(lambda: task.cloud.call("iam", "detach_role_policy", RoleName=role, PolicyArn=arn))


_PROFILE = (
    string("name", aws="InstanceProfileName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("path", default="/", replaces=True),
    string("role", aws=None),
)


def _create_profile(task: Task) -> str:
    parameters = task.parameters(_PROFILE)
    task.cloud.call("iam", "create_instance_profile", repeated=_EXISTS, Tags=to_pairs(task.tags), **parameters)
    return str(task.get("name"))


def _settle_profile(task: Task, identifier: str) -> None:
    if not task.touches("role"):
        return
    old, wanted = task.state.get("role"), task.get("role")
    call = partial(task.cloud.call, "iam", InstanceProfileName=identifier)
    if old:
        unless_gone(lambda: call("remove_role_from_instance_profile", RoleName=old))
    if wanted:
        call("add_role_to_instance_profile", repeated=("LimitExceeded",), RoleName=wanted)


def _read_profile(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _call(cloud, "get_instance_profile", InstanceProfileName=identifier)
    if reply is None:
        return None
    profile = reply["InstanceProfile"]
    role = only(profile.get("Roles") or []) or {}
    return {
        **from_aws(_PROFILE, profile),
        "role": role.get("RoleName"),
        "arn": profile["Arn"],
        "uniqueId": profile["InstanceProfileId"],
        "createDate": _date(profile),
        "tags": from_pairs(profile.get("Tags")),
    }


def _delete_profile(task: Task, identifier: str) -> None:
    state = _read_profile(task.cloud, identifier, {}) or {}
    call = partial(task.cloud.call, "iam", InstanceProfileName=identifier)
    if state.get("role"):
        unless_gone(lambda: call("remove_role_from_instance_profile", RoleName=state["role"]))
    delete_when_free(task, identifier, lambda: call("delete_instance_profile"), busy=("DeleteConflict",))


_POLICY = (
    string("name", aws="PolicyName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    string("description", replaces=True),
    string("path", default="/", replaces=True),
    document("policy", aws="PolicyDocument", required=True),
)
_MOST_VERSIONS = 5


def _create_policy(task: Task) -> str:
    def find() -> str | None:
        arn = f"arn:aws:iam::{task.cloud.account}:policy{task.inputs['path']}{task.inputs['name']}"
        return arn if _call(task.cloud, "get_policy", PolicyArn=arn) else None

    parameters = {**task.parameters(_POLICY), "Tags": to_pairs(task.tags)}
    return task.cloud.creating(
        lambda: str(task.cloud.call("iam", "create_policy", **parameters)["Policy"]["Arn"]), find
    )


def _settle_policy(task: Task, identifier: str) -> None:
    if task.fresh or not task.touches("policy"):
        return
    versions = task.cloud.call("iam", "list_policy_versions", PolicyArn=identifier)["Versions"]
    if len(versions) >= _MOST_VERSIONS:
        oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: int(v["VersionId"][1:]))
        task.cloud.call("iam", "delete_policy_version", PolicyArn=identifier, VersionId=oldest["VersionId"])
    task.cloud.creating(
        lambda: task.cloud.call(
            "iam", "create_policy_version", PolicyArn=identifier, PolicyDocument=task.get("policy"), SetAsDefault=True
        ),
        lambda: None,  # one version too many is pruned by the next change
    )


def _read_policy(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    reply = _call(cloud, "get_policy", PolicyArn=identifier)
    if reply is None:
        return None
    policy = reply["Policy"]
    version = cloud.call("iam", "get_policy_version", PolicyArn=identifier, VersionId=policy["DefaultVersionId"])
    return {
        **from_aws(_POLICY, policy),
        "description": policy.get("Description") or None,
        "policy": _text(version["PolicyVersion"]["Document"]),
        "arn": policy["Arn"],
        "policyId": policy["PolicyId"],
        "attachmentCount": int(policy.get("AttachmentCount") or 0),
        "tags": from_pairs(policy.get("Tags")),
    }


def _delete_policy(task: Task, identifier: str) -> None:
    versions = _call(task.cloud, "list_policy_versions", PolicyArn=identifier) or {}
    for version in versions.get("Versions") or []:
        if not version["IsDefaultVersion"]:
            number = version["VersionId"]
            unless_gone(
                partial(task.cloud.call, "iam", "delete_policy_version", PolicyArn=identifier, VersionId=number)
            )
    unless_gone(lambda: task.cloud.call("iam", "delete_policy", PolicyArn=identifier))


RESOURCES = (
    Resource(
        type="aws:iam/role:Role",
        properties=_ROLE,
        outputs=("arn", "createDate", "uniqueId"),
        create=_create_role,
        settle=_settle_role,
        read=_read_role,
        delete=_delete_role,
        write_tags=_tag_writer("role", "RoleName"),
        regional=False,
        autoname=Autoname(longest=64),
        import_id="the role's name",
    ),
    Resource(
        type="aws:iam/rolePolicy:RolePolicy",
        properties=_INLINE,
        outputs=(),
        create=_create_inline,
        settle=_settle_inline,
        read=_read_inline,
        delete=_delete_inline,
        regional=False,
        autoname=Autoname(longest=128),
        import_id="<role>:<policy>",
    ),
    Resource(
        type="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        properties=_ATTACHED,
        outputs=(),
        create=_create_attached,
        read=_read_attached,
        delete=_delete_attached,
        regional=False,
        import_id="<role>/<policy arn>",
    ),
    Resource(
        type="aws:iam/instanceProfile:InstanceProfile",
        properties=_PROFILE,
        outputs=("arn", "createDate", "uniqueId"),
        create=_create_profile,
        settle=_settle_profile,
        read=_read_profile,
        delete=_delete_profile,
        write_tags=_tag_writer("instance_profile", "InstanceProfileName"),
        regional=False,
        autoname=Autoname(longest=128),
        import_id="the profile's name",
    ),
    Resource(
        type="aws:iam/policy:Policy",
        properties=_POLICY,
        outputs=("arn", "attachmentCount", "policyId"),
        create=_create_policy,
        settle=_settle_policy,
        read=_read_policy,
        delete=_delete_policy,
        write_tags=_tag_writer("policy", "PolicyArn"),
        regional=False,
        autoname=Autoname(longest=128),
        import_id="the ARN",
    ),
)

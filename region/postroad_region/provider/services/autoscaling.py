"""Auto Scaling groups and their lifecycle hooks."""

from collections.abc import Mapping
from typing import Any

from ..cloud import Cloud
from ..errors import AwsError, ProviderError
from ..resource import Autoname, Resource, Task, only, unless_gone
from ..schema import (
    State,
    block,
    block_set,
    boolean,
    from_aws,
    integer,
    integers,
    listed,
    string,
    strings,
    to_aws,
)

_REFRESH_PREFERENCES = (
    string("checkpointDelay"),
    integers("checkpointPercentages"),
    string("instanceWarmup"),
    integer("maxHealthyPercentage"),
    integer("minHealthyPercentage"),
    boolean("autoRollback"),
    string("scaleInProtectedInstances"),
    boolean("skipMatching"),
    string("standbyInstances"),
    block("alarmSpecification", fields=(listed("alarms"),)),
)
_TEMPLATE = block(
    "launchTemplate",
    fields=(
        string("id", aws="LaunchTemplateId", computed=True),
        string("name", aws="LaunchTemplateName", computed=True),
        string("version", computed=True),
    ),
)
_GROUP = (
    string("name", aws="AutoScalingGroupName", replaces=True),
    string("namePrefix", kept=True, replaces=True),
    integer("minSize", required=True),
    integer("maxSize", required=True),
    integer("desiredCapacity", computed=True),
    _TEMPLATE,
    strings("vpcZoneIdentifiers", aws=None, computed=True),
    strings("availabilityZones", computed=True, imported=False),
    string("healthCheckType", computed=True),
    integer("healthCheckGracePeriod", default=300),
    integer("defaultCooldown", computed=True),
    integer("defaultInstanceWarmup"),
    boolean("protectFromScaleIn", aws="NewInstancesProtectedFromScaleIn", default=False),
    boolean("capacityRebalance", default=False),
    integer("maxInstanceLifetime", same=lambda a, b: int(a or 0) == int(b or 0)),
    listed("terminationPolicies"),
    strings("targetGroupArns", aws="TargetGroupARNs", computed=True),
    strings("suspendedProcesses", aws=None),
    strings("enabledMetrics", aws=None),
    string("metricsGranularity", aws=None, default="1Minute"),
    string("placementGroup"),
    string("serviceLinkedRoleArn", aws="ServiceLinkedRoleARN", computed=True, imported=False),
    block_set(
        "tags",
        aws=None,
        fields=(
            string("key", required=True),
            string("value", required=True),
            boolean("propagateAtLaunch", required=True),
        ),
    ),
    block(
        "instanceRefresh",
        kept=True,
        fields=(
            string("strategy", required=True),
            block("preferences", fields=_REFRESH_PREFERENCES),
            strings("triggers"),
        ),
    ),
    block_set(
        "initialLifecycleHooks",
        kept=True,
        fields=(
            string("name", aws="LifecycleHookName", required=True),
            string("lifecycleTransition", required=True),
            string("defaultResult", computed=True),
            integer("heartbeatTimeout"),
            string("notificationMetadata"),
            string("notificationTargetArn", aws="NotificationTargetARN"),
            string("roleArn", aws="RoleARN"),
        ),
    ),
    boolean("forceDelete", kept=True, default=False),
    boolean("ignoreFailedScalingActivities", kept=True, default=False),
    string("waitForCapacityTimeout", kept=True, default="10m"),
    integer("minElbCapacity", kept=True),
    integer("waitForElbCapacity", kept=True),
)
_UPDATABLE = (
    "minSize",
    "maxSize",
    "desiredCapacity",
    "launchTemplate",
    "healthCheckType",
    "healthCheckGracePeriod",
    "defaultCooldown",
    "defaultInstanceWarmup",
    "protectFromScaleIn",
    "capacityRebalance",
    "maxInstanceLifetime",
    "terminationPolicies",
    "placementGroup",
    "serviceLinkedRoleArn",
)
_NAME = "AutoScalingGroupName"


def _group(cloud: Cloud, name: str) -> dict[str, Any] | None:
    reply = cloud.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])
    found: dict[str, Any] | None = only(reply["AutoScalingGroups"])
    return found


def _tag(name: str, tag: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": tag["key"],
        "Value": tag["value"],
        "PropagateAtLaunch": bool(tag["propagateAtLaunch"]),
    }


def _parameters(task: Task, *names: str) -> dict[str, Any]:
    parameters = task.parameters(_GROUP, *names)
    template = parameters.get("LaunchTemplate")
    if template and template.get("LaunchTemplateId"):
        # AWS takes the id or the name, not both; a state read back holds both.
        template.pop("LaunchTemplateName", None)
    if "vpcZoneIdentifiers" in names and task.get("vpcZoneIdentifiers"):
        parameters["VPCZoneIdentifier"] = ",".join(task.inputs["vpcZoneIdentifiers"])
    return parameters


def _create_group(task: Task) -> str:
    name = str(task.get("name"))
    names = ("name", *_UPDATABLE, "availabilityZones", "vpcZoneIdentifiers", "targetGroupArns")
    parameters = _parameters(task, *names)
    if parameters.get("VPCZoneIdentifier"):
        parameters.pop("AvailabilityZones", None)
    parameters["Tags"] = [_tag(name, tag) for tag in task.get("tags") or []]
    hooks = next(prop for prop in _GROUP if prop.name == "initialLifecycleHooks")
    if task.get(hooks.name):
        parameters["LifecycleHookSpecificationList"] = [to_aws(hooks.fields, hook) for hook in task.inputs[hooks.name]]

    def attempt() -> str:
        task.cloud.call("autoscaling", "create_auto_scaling_group", **parameters)
        return name

    return task.cloud.creating(attempt, lambda: name if _group(task.cloud, name) else None)


def _settle_group(task: Task, identifier: str) -> None:
    call = task.cloud.call
    if not task.fresh:
        _update_group(task, identifier)
    if task.touches("suspendedProcesses"):
        wanted, old = set(task.get("suspendedProcesses") or []), set(task.state.get("suspendedProcesses") or [])
        for operation, processes in (("suspend_processes", wanted - old), ("resume_processes", old - wanted)):
            if processes:
                call("autoscaling", operation, **{_NAME: identifier}, ScalingProcesses=sorted(processes))
    if task.touches("enabledMetrics", "metricsGranularity"):
        wanted, old = set(task.get("enabledMetrics") or []), set(task.state.get("enabledMetrics") or [])
        if old - wanted:
            call("autoscaling", "disable_metrics_collection", **{_NAME: identifier}, Metrics=sorted(old - wanted))
        if wanted - old:
            granularity = task.get("metricsGranularity")
            call(
                "autoscaling",
                "enable_metrics_collection",
                **{_NAME: identifier},
                Metrics=sorted(wanted - old),
                Granularity=granularity,
            )
    if task.get("instanceRefresh") and not task.fresh:
        triggers = set(task.inputs["instanceRefresh"].get("triggers") or []) - {"tag"}
        tagged = "tag" in (task.inputs["instanceRefresh"].get("triggers") or []) and task.touches("tags")
        if tagged or task.touches("launchTemplate", *triggers):
            _start_refresh(task, identifier)


def _update_group(task: Task, identifier: str) -> None:
    call = task.cloud.call
    if task.touches("tags"):
        wanted = {tag["key"]: tag for tag in task.get("tags") or []}
        old = {tag["key"]: tag for tag in task.state.get("tags") or []}
        gone = [_tag(identifier, old[key]) for key in sorted(set(old) - set(wanted))]
        new = [_tag(identifier, tag) for key, tag in sorted(wanted.items()) if old.get(key) != tag]
        if gone:
            call("autoscaling", "delete_tags", Tags=gone)
        if new:
            call("autoscaling", "create_or_update_tags", Tags=new)
    if task.touches("targetGroupArns"):
        wanted_arns, old_arns = set(task.get("targetGroupArns") or []), set(task.state.get("targetGroupArns") or [])
        for operation, arns in (("detach", old_arns - wanted_arns), ("attach", wanted_arns - old_arns)):
            if arns:
                name = f"{operation}_load_balancer_target_groups"
                call("autoscaling", name, **{_NAME: identifier}, TargetGroupARNs=sorted(arns))
    names = sorted(task.changed & {*_UPDATABLE, "vpcZoneIdentifiers"})
    if names:
        parameters = _parameters(task, *names)
        if "maxInstanceLifetime" in names:
            parameters["MaxInstanceLifetime"] = int(task.get("maxInstanceLifetime") or 0)
        call("autoscaling", "update_auto_scaling_group", **{_NAME: identifier}, **parameters)


def _start_refresh(task: Task, identifier: str) -> None:
    """Start an instance refresh as the real provider does: it doesn't wait for its end, and cancels one under way."""
    refresh = task.inputs["instanceRefresh"]
    parameters: dict[str, Any] = {_NAME: identifier, "Strategy": refresh["strategy"]}
    preferences = to_aws(_REFRESH_PREFERENCES, refresh.get("preferences") or {})
    for name in ("InstanceWarmup", "CheckpointDelay"):
        if name in preferences:
            preferences[name] = int(preferences[name])
    if preferences.get("AutoRollback"):
        # AWS takes AutoRollback only with a desired configuration; the real provider gives the group's own.
        template = _parameters(task, "launchTemplate").get("LaunchTemplate")
        parameters["DesiredConfiguration"] = {"LaunchTemplate": template}
    if preferences:
        parameters["Preferences"] = preferences

    def started() -> bool:
        try:
            task.cloud.call(
                "autoscaling", "start_instance_refresh", repeated=("InstanceRefreshInProgress",), **parameters
            )
        except AwsError as error:
            if error.code != "InstanceRefreshInProgress":
                raise
            try:
                task.cloud.call("autoscaling", "cancel_instance_refresh", **{_NAME: identifier})
            except AwsError as cancel:
                if cancel.code != "ActiveInstanceRefreshNotFound":
                    raise
            return False
        return True

    task.cloud.wait_until(started, seconds=task.patience, what=f"the earlier instance refresh of {identifier} to end")


def _read_group(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group = _group(cloud, identifier)
    if group is None or group.get("Status") == "Delete in progress":
        return None
    state = from_aws(_GROUP, group)
    if not state.get("maxInstanceLifetime"):
        state.pop("maxInstanceLifetime", None)
    if state.get("terminationPolicies") == ["Default"] and not known.get("terminationPolicies"):
        state.pop("terminationPolicies")
    metrics = group.get("EnabledMetrics") or []
    return {
        **state,
        "vpcZoneIdentifiers": sorted(filter(None, (group.get("VPCZoneIdentifier") or "").split(","))),
        "suspendedProcesses": sorted(item["ProcessName"] for item in group.get("SuspendedProcesses") or []),
        "enabledMetrics": sorted(item["Metric"] for item in metrics),
        "metricsGranularity": metrics[0]["Granularity"] if metrics else known.get("metricsGranularity", "1Minute"),
        "tags": sorted(
            (
                {"key": tag["Key"], "value": tag["Value"], "propagateAtLaunch": bool(tag["PropagateAtLaunch"])}
                for tag in group.get("Tags") or []
                if not tag["Key"].startswith("aws:")
            ),
            key=lambda tag: str(tag["key"]),
        ),
        "arn": group.get("AutoScalingGroupARN"),
        "predictedCapacity": int(group.get("PredictedCapacity") or 0),
        "warmPoolSize": int(group.get("WarmPoolSize") or 0),
    }


def _delete_group(task: Task, identifier: str) -> None:
    """Empty the group, wait for its instances to end (hooks included), then remove it; at once with `forceDelete`."""
    call, force, group = task.cloud.call, bool(task.state.get("forceDelete")), _group(task.cloud, identifier)
    if group is None:
        return
    if not force:
        call("autoscaling", "update_auto_scaling_group", **{_NAME: identifier}, MinSize=0, MaxSize=0, DesiredCapacity=0)
        held = [item["InstanceId"] for item in group.get("Instances") or [] if item.get("ProtectedFromScaleIn")]
        # AWS takes 50 at once.
        for batch in (held[first : first + 50] for first in range(0, len(held), 50)):
            names = {_NAME: identifier, "InstanceIds": batch}
            call("autoscaling", "set_instance_protection", **names, ProtectedFromScaleIn=False)
        task.cloud.wait_until(
            lambda: not (_group(task.cloud, identifier) or {}).get("Instances"),
            seconds=task.patience,
            what=f"the instances of {identifier} to end",
        )

    def deleted() -> bool:
        try:
            call("autoscaling", "delete_auto_scaling_group", **{_NAME: identifier}, ForceDelete=force)
        except AwsError as error:
            if error.code in ("ResourceInUse", "ScalingActivityInProgress"):
                return False
            if not (error.gone or _group(task.cloud, identifier) is None):
                raise
        return True

    task.cloud.wait_until(deleted, seconds=task.patience, what=f"{identifier} to be free")
    task.cloud.wait_until(
        lambda: _group(task.cloud, identifier) is None, seconds=task.patience, what=f"{identifier} to be deleted"
    )


_HOOK = (
    string("name", aws="LifecycleHookName", replaces=True),
    string("autoscalingGroupName", aws="AutoScalingGroupName", required=True, replaces=True),
    string("lifecycleTransition", required=True),
    string("defaultResult", computed=True),
    integer("heartbeatTimeout", computed=True),
    string("notificationMetadata"),
    string("notificationTargetArn", aws="NotificationTargetARN"),
    string("roleArn", aws="RoleARN"),
)


def _put_hook(task: Task) -> None:
    task.cloud.call("autoscaling", "put_lifecycle_hook", **task.parameters(_HOOK))


def _create_hook(task: Task) -> str:
    _put_hook(task)
    return str(task.get("name"))


def _settle_hook(task: Task, identifier: str) -> None:
    if not task.fresh:
        _put_hook(task)


def _read_hook(cloud: Cloud, identifier: str, known: Mapping[str, Any]) -> State | None:
    group, name = known.get("autoscalingGroupName"), identifier
    if not group:
        group, _, name = identifier.partition("/")
        if not name:
            raise ProviderError(f"a lifecycle hook is imported as <group>/<hook>, not {identifier!r}")
    try:
        reply = cloud.call("autoscaling", "describe_lifecycle_hooks", **{_NAME: group}, LifecycleHookNames=[name])
    except AwsError as error:
        if error.code == "ValidationError" and _group(cloud, str(group)) is None:
            return None
        raise
    hook = only([item for item in reply["LifecycleHooks"] if item["LifecycleHookName"] == name])
    return {**from_aws(_HOOK, hook), "id": name} if hook else None


def _delete_hook(task: Task, identifier: str) -> None:
    group = task.state["autoscalingGroupName"]
    try:
        unless_gone(
            lambda: task.cloud.call(
                "autoscaling", "delete_lifecycle_hook", **{_NAME: group}, LifecycleHookName=identifier
            )
        )
    except AwsError:
        if _read_hook(task.cloud, identifier, task.state) is not None:
            raise


RESOURCES = (
    Resource(
        type="aws:autoscaling/group:Group",
        properties=_GROUP,
        outputs=("arn", "predictedCapacity", "warmPoolSize"),
        create=_create_group,
        settle=_settle_group,
        read=_read_group,
        delete=_delete_group,
        autoname=Autoname(),
        import_id="the group's name",
    ),
    Resource(
        type="aws:autoscaling/lifecycleHook:LifecycleHook",
        properties=_HOOK,
        outputs=(),
        create=_create_hook,
        settle=_settle_hook,
        read=_read_hook,
        delete=_delete_hook,
        autoname=Autoname(prefix=None),
        import_id="<group>/<hook>",
    ),
)

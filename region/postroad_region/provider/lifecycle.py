"""What happens to a resource: create, read, update, delete, and the decision what differs. Knows nothing of gRPC."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cloud import Clients, Cloud
from .compare import Change, Difference, differences, equal
from .errors import AwsError, InitFailed, ProviderError
from .resource import DELETE_PATIENCE, Resource, Task
from .schema import Property, State, is_empty
from .tagging import TagRules
from .wire import UNKNOWN, has_unknown, is_unknown

APPEAR_PATIENCE = 60.0
"""Seconds that a new resource may take until AWS shows it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a read found: the id, the state, and the inputs that would ask for it."""

    id: str
    state: State
    inputs: State


@dataclass(slots=True)
class Lifecycle:
    """The resources of one provider configuration.

    Attributes:
        clients: the way to AWS.
        tag_rules: default and ignored tags.
        cancelled: ends every wait.
    """

    clients: Clients
    tag_rules: TagRules = field(default_factory=TagRules)
    cancelled: threading.Event = field(default_factory=threading.Event)
    _clouds: dict[str, Cloud] = field(default_factory=dict)

    def cloud(self, region: str | None = None) -> Cloud:
        """AWS in a region; the configured one without."""
        region = region or self.clients.access.region
        return self._clouds.setdefault(region, Cloud(self.clients, region, self.cancelled))

    def diff(
        self, resource: Resource, state: Mapping[str, Any], inputs: Mapping[str, Any], ignore: Sequence[str] = ()
    ) -> list[Difference]:
        """Where the wanted inputs differ from the state."""
        wanted = dict(inputs)
        if resource.regional and "region" in state:
            wanted.setdefault("region", self.clients.access.region)
        found = differences(resource.inputs, wanted, state, ignore=ignore)
        if resource.tagged:
            found += [d for d in self._tag_differences(state, inputs) if not _ignored(d, ignore)]
        return found

    def _tag_differences(self, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[Difference]:
        own, old_own = inputs.get("tags") or {}, state.get("tags") or {}
        if is_unknown(own):
            return [Difference("tags", Change.UPDATE, replaces=False)]
        wanted, old = self.tag_rules.all(own), self.tag_rules.managed(state.get("tagsAll") or {})
        found = []
        for key in sorted({*wanted, *old}):
            if wanted.get(key) == old.get(key):
                continue
            top = "tags" if key in own or key in old_own else "tagsAll"
            path = f"{top}.{key}" if key.isidentifier() else f'{top}["{key}"]'
            change = Change.ADD if key not in old else Change.DELETE if key not in wanted else Change.UPDATE
            found.append(Difference(path, change, replaces=False))
        return found

    def planned(self, resource: Resource, inputs: Mapping[str, Any]) -> State:
        """The state a create would lead to, with what only AWS can say unknown."""
        state: State = dict.fromkeys(resource.output_names, UNKNOWN)
        for prop in resource.inputs:
            value = inputs.get(prop.name)
            if value is None:
                value = UNKNOWN if prop.computed else prop.default
            if value is not None:
                state[prop.name] = value
        if resource.regional:
            state["region"] = inputs.get("region") or self.clients.access.region
        if resource.tagged:
            self._plan_tags(inputs, state)
        return state

    def planned_update(self, resource: Resource, state: Mapping[str, Any], inputs: Mapping[str, Any]) -> State:
        """The state an update would lead to."""
        changed = {d.top for d in self.diff(resource, state, inputs)} - _tag_names(resource)
        plan = dict(state)
        for prop in resource.inputs:
            value = inputs.get(prop.name, prop.default)
            if value is not None:
                plan[prop.name] = value
            elif not prop.computed:
                plan.pop(prop.name, None)
        if changed:
            plan.update(dict.fromkeys(resource.volatile, UNKNOWN))
        if resource.tagged:
            self._plan_tags(inputs, plan)
        return plan

    def _plan_tags(self, inputs: Mapping[str, Any], plan: State) -> None:
        tags = inputs.get("tags") or {}
        plan["tags"] = tags
        plan["tagsAll"] = UNKNOWN if is_unknown(tags) else self.tag_rules.all(tags)

    def create(self, resource: Resource, name: str, inputs: State, *, seconds: float = 0) -> Found:
        """Make the resource.

        Raises:
            InitFailed: it was made, but not all of it could be set.
            ProviderError: it wasn't made.
        """
        _refuse_unknown(inputs)
        task = self._task(resource, name, inputs, {}, seconds)
        task.changed = frozenset(key for key, value in task.inputs.items() if not is_empty(value))
        identifier = resource.create(task)
        try:
            if resource.settle:
                resource.settle(task, identifier)
            raw = task.cloud.wait_until(
                lambda: resource.read(task.cloud, identifier, task.inputs),
                seconds=APPEAR_PATIENCE,
                what=f"{identifier} to appear",
            )
        except ProviderError as error:
            kept = {p.name: inputs[p.name] for p in resource.inputs if (p.replaces or p.kept) and p.name in inputs}
            raise InitFailed(str(error), identifier, kept, inputs) from error
        identifier = str(raw.pop("id", identifier))
        return Found(identifier, self._state(resource, task.cloud, raw, task.inputs), inputs)

    def read(
        self, resource: Resource, identifier: str, state: Mapping[str, Any], inputs: Mapping[str, Any] | None
    ) -> Found | None:
        """The resource as AWS has it, or None; `inputs` is None on import."""
        region = state.get("region")
        if not state and resource.regional and "@" in identifier:
            identifier, _, region = identifier.rpartition("@")
        cloud = self.cloud(region)
        try:
            raw = resource.read(cloud, identifier, state)
        except AwsError as error:
            if not error.gone:
                raise
            raw = None
        if raw is None:
            return None
        identifier = str(raw.pop("id", identifier))
        declared = inputs or {}
        new_state = self._state(resource, cloud, raw, {**state, **declared} if inputs is not None else {})
        return Found(identifier, new_state, rebuilt_inputs(resource, new_state, inputs))

    def update(
        self,
        resource: Resource,
        name: str,
        identifier: str,
        state: State,
        inputs: State,
        *,
        ignore: Sequence[str] = (),
        seconds: float = 0,
    ) -> State:
        """Bring the resource into the wanted shape and return its new state."""
        _refuse_unknown(inputs)
        task = self._task(resource, name, inputs, state, seconds)
        found = self.diff(resource, state, inputs, ignore)
        task.changed = frozenset(d.top for d in found) - _tag_names(resource)
        if resource.settle and task.changed:
            resource.settle(task, identifier)
        if resource.write_tags and any(d.top in ("tags", "tagsAll") for d in found):
            old = self.tag_rules.managed(state.get("tagsAll") or {})
            add = {key: value for key, value in task.tags.items() if old.get(key) != value}
            remove = sorted(set(old) - set(task.tags))
            resource.write_tags(task.cloud, identifier, state, add, remove)
        raw = resource.read(task.cloud, identifier, {**state, **task.inputs})
        if raw is None:
            raise ProviderError(f"{identifier} is gone: run `pulumi refresh`")
        raw.pop("id", None)
        return self._state(resource, task.cloud, raw, {**task.inputs})

    def delete(self, resource: Resource, name: str, identifier: str, state: State, *, seconds: float = 0) -> None:
        """Remove the resource; that it is gone already is fine."""
        task = self._task(resource, name, state, state, seconds)
        try:
            resource.delete(task, identifier)
        except AwsError as error:
            if not error.gone:
                raise

    def _task(self, resource: Resource, name: str, inputs: State, state: State, seconds: float) -> Task:
        effective = {key: value for key, value in inputs.items() if not key.startswith("__")}
        for prop in resource.inputs:
            if prop.default is not None:
                effective.setdefault(prop.name, prop.default)
        region = effective.get("region") or state.get("region")
        tags = self.tag_rules.all(effective.get("tags")) if resource.tagged else {}
        return Task(
            self.cloud(region), resource.type, name, effective, state, tags, patience=seconds or DELETE_PATIENCE
        )

    def _state(self, resource: Resource, cloud: Cloud, raw: State, known: Mapping[str, Any]) -> State:
        """The full state: what AWS says, what only the stack keeps, and tags divided into own and all."""
        for prop in resource.inputs:
            if prop.kept:
                value = known.get(prop.name, prop.default)
                if value is not None:
                    raw.setdefault(prop.name, value)
        if resource.regional:
            raw["region"] = cloud.region
        if resource.tagged:
            everything = self.tag_rules.managed(raw.get("tags") or {})
            raw["tagsAll"] = everything
            raw["tags"] = self.tag_rules.own(everything, known.get("tags"))
        return {key: value for key, value in raw.items() if value is not None}


def rebuilt_inputs(resource: Resource, state: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> State:
    """The inputs that ask for what is there.

    On refresh (`inputs` given) an input that still means the same stays as the program wrote it, one that changed
    takes AWS's value, and one that the program doesn't mention appears only if it isn't AWS's or the provider's own
    choice. On import everything that AWS tells and a program could say appears.
    """
    rebuilt: State = {} if inputs is None else {key: v for key, v in inputs.items() if key.startswith("__")}
    declared = inputs or {}
    for prop in resource.inputs:
        value, given = state.get(prop.name), declared.get(prop.name)
        if given is not None:
            if prop.kept or _means(prop, given, value):
                rebuilt[prop.name] = given
            elif not is_empty(value):
                rebuilt[prop.name] = value
        elif is_empty(value):
            continue
        elif inputs is None:
            if prop.imported and not (prop.kept and value == prop.default):
                rebuilt[prop.name] = value
        elif not (prop.computed or prop.kept or value is False or _means(prop, prop.default, value)):
            rebuilt[prop.name] = value
    if resource.tagged and (state.get("tags") or "tags" in declared):
        rebuilt["tags"] = dict(state.get("tags") or {})
    return rebuilt


def _means(prop: Property, given: Any, value: Any) -> bool:
    """Whether an input and AWS's value say the same, both possibly nothing."""
    if is_empty(given) or is_empty(value):
        return (is_empty(given) and is_empty(value)) or (given is False and value is None)
    return equal(prop, given, value)


def _ignored(difference: Difference, ignore: Sequence[str]) -> bool:
    return any(difference.path == path or difference.path.startswith((path + ".", path + "[")) for path in ignore)


def _tag_names(resource: Resource) -> frozenset[str]:
    """The names whose differences are tags, written apart; some types' `tags` is a property like any other."""
    return frozenset({"tags", "tagsAll"} if resource.tagged else ())


def _refuse_unknown(inputs: Mapping[str, Any]) -> None:
    for name, value in inputs.items():
        if has_unknown(value):
            raise ProviderError(f"property {name!r} has no value yet outside a preview")

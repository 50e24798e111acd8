"""The description of a resource type: what the table holds."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cloud import Cloud
from .errors import AwsError, ProviderError
from .schema import Property, State, string, to_aws

DELETE_PATIENCE = 900.0
"""Seconds that a delete waits for what still depends on the resource."""


@dataclass(slots=True)
class Task:
    """One create, update or delete, as a resource description sees it.

    Attributes:
        inputs: what the program wants, defaults filled in.
        state: what is known of the resource; empty on create.
        tags: every tag the resource shall have, the provider's default tags included.
        changed: names of the inputs to apply; on create those that are given.
        patience: seconds that waiting may take.
    """

    cloud: Cloud
    type: str
    name: str
    inputs: State
    state: State = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    patience: float = DELETE_PATIENCE

    @property
    def fresh(self) -> bool:
        """Whether the resource is being created."""
        return not self.state

    def get(self, name: str) -> Any:
        """An input's value, or None."""
        return self.inputs.get(name)

    def touches(self, *names: str) -> bool:
        """Whether any of these inputs is to be applied."""
        return not self.changed.isdisjoint(names)

    def parameters(self, properties: tuple[Property, ...], *names: str) -> dict[str, Any]:
        """API parameters of the inputs given; only those `names` if any are named."""
        chosen = [prop for prop in properties if not names or prop.name in names]
        return to_aws(chosen, self.inputs)


Create = Callable[[Task], str]
Settle = Callable[[Task, str], None]
Read = Callable[[Cloud, str, Mapping[str, Any]], State | None]
Delete = Callable[[Task, str], None]
WriteTags = Callable[[Cloud, str, Mapping[str, Any], dict[str, str], list[str]], None]


@dataclass(frozen=True, slots=True)
class Autoname:
    """How the provider names a resource that the program doesn't name.

    Args:
        property: the property that holds the name.
        prefix: the property that a program may give instead: the name's beginning.
        longest: AWS's limit in characters.
        separator: between the logical name and the digits.
        before: what every name begins with (`alias/`).
        suffix: what every name ends with (`.fifo`), from the inputs.
        lower: whether AWS takes lower case only.
    """

    property: str = "name"
    prefix: str | None = "namePrefix"
    longest: int = 255
    separator: str = "-"
    before: str = ""
    suffix: Callable[[Mapping[str, Any]], str] = lambda _: ""
    lower: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource type.

    Args:
        type: Pulumi's type token.
        properties: the inputs, without `tags` and `region`, which the machinery adds.
        outputs: the names of what only AWS says.
        create: makes it and returns its id; nothing it does before may leave something behind.
        settle: applies `task.changed` to an existing resource: after create what create couldn't say, on update all.
        read: the state as AWS has it (`tags` being all tags; `id` if the id is another than the one asked for), or None
            if it is gone. Gets what was known before, empty on import.
        delete: removes it; AWS's "not found" counts as success.
        write_tags: adds and removes tags; None for a type without tags.
        regional: whether the type has a `region` property.
        volatile: outputs that an update may change, and so are unknown in its preview.
        one_of: groups of inputs of which exactly one must be given.
        delete_first: a replacement can't stand beside the old one.
        import_id: what `pulumi import` takes.
    """

    type: str
    properties: tuple[Property, ...]
    outputs: tuple[str, ...]
    create: Create
    read: Read
    delete: Delete
    settle: Settle | None = None
    write_tags: WriteTags | None = None
    regional: bool = True
    autoname: Autoname | None = None
    volatile: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    delete_first: bool = False
    import_id: str = "the id"

    @property
    def inputs(self) -> tuple[Property, ...]:
        """All properties compared by kind: those declared and `region`. Tags are compared apart."""
        return (*self.properties, REGION) if self.regional else self.properties

    @property
    def tagged(self) -> bool:
        """Whether the type has `tags` and `tagsAll`."""
        return self.write_tags is not None

    @property
    def input_names(self) -> frozenset[str]:
        """The names a program may give."""
        return frozenset(prop.name for prop in self.inputs) | ({"tags"} if self.tagged else frozenset())

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names a program may read, besides its inputs."""
        return (*self.outputs, "tagsAll") if self.tagged else self.outputs


REGION = string("region", aws=None, computed=True, replaces=True, imported=False)


def delete_when_free(
    task: Task, what: str, attempt: Callable[[], Any], *, busy: tuple[str, ...] = ("DependencyViolation",)
) -> None:
    """Delete what AWS refuses to delete while others use it: repeat until they are gone, or the patience ends.

    Raises:
        AwsError: AWS refused for another reason than `busy`, or kept refusing.
    """
    last: list[AwsError] = []

    def free() -> bool:
        try:
            attempt()
        except AwsError as error:
            if error.gone:
                return True
            if error.code not in busy:
                raise
            last.append(error)
            return False
        return True

    try:
        task.cloud.wait_until(free, seconds=task.patience, what=f"{what} to be free")
    except ProviderError as error:
        if last and not isinstance(error, AwsError):
            raise ProviderError(f"{error}; last answer: {last[-1]}") from error
        raise


def unless_gone(attempt: Callable[[], Any]) -> None:
    """Call AWS; that the resource doesn't exist is fine."""
    try:
        attempt()
    except AwsError as error:
        if not error.gone:
            raise


def request_token() -> str:
    """A value that no other request carries."""
    return secrets.token_hex(16)


def only(items: list[Any]) -> Any | None:
    """The first item of a list, or None."""
    return items[0] if items else None

"""An engine without a cloud: it runs a project's program in this process and records what it registers."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import runpy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from zlib import crc32

import pulumi
import yaml
from pulumi.runtime import mocks, stack

PROJECTS = Path(__file__).resolve().parents[2] / "pulumi"


@dataclass(frozen=True)
class Registered:
    """A resource as the program registered it; inputs as the provider would get them, ids where there were outputs."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    custom: bool

    @property
    def id(self) -> str:
        """The id that the mocks gave it."""
        return f"{self.type}::{self.name}"

    @property
    def kind(self) -> str:
        """The last part of its type: `Vpc`."""
        return self.type.rsplit(":", 1)[-1]


def address_of(name: str) -> str:
    """An address (RFC 2544) that depends on the name alone: registrations come in any order."""
    return str(IPv4Address("198.18.0.0") + crc32(name.encode()) % 2**17)


def computed(kind: str, name: str) -> dict[str, Any]:
    """The outputs that the programs read and AWS chooses."""
    match kind:
        case "Zone":
            return {"zoneId": f"Z{name}", "nameServers": ["ns-1.example.com", "ns-2.example.com"]}
        case "Eip":
            return {"publicIp": address_of(name), "allocationId": f"eipalloc-{name}"}
        case "LoadBalancer":
            return {"dnsName": f"{name}.elb.us-east-1.amazonaws.com", "zoneId": "Z26RNL4JYFTOTI"}
        case "Certificate":
            option = {"resourceRecordName": f"_{name}", "resourceRecordType": "CNAME", "resourceRecordValue": "_v.aws"}
            return {"domainValidationOptions": [option]}
        case "Record":
            return {"fqdn": name}
        case "VpcEndpoint":
            return {"prefixListId": f"pl-{name}"}
        case "LaunchTemplate":
            return {"latestVersion": 1}
    return {}


@dataclass
class Engine(mocks.Mocks):
    """Answers what AWS would: an id for each resource, an ARN, and the outputs that the programs read."""

    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    registered: list[Registered] = field(default_factory=list)
    invoked: list[str] = field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.invoked.append(args.token)
        return {}, None

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ == "pulumi:pulumi:StackReference":
            name = args.inputs["name"]
            return name, {"name": name, "outputs": dict(self.references.get(name, {})), "secretOutputNames": []}
        resource = Registered(args.typ, args.name, dict(args.inputs), bool(args.custom))
        self.registered.append(resource)
        return resource.id, {
            **args.inputs,
            "arn": f"arn:aws:::{args.name}",
            **computed(resource.kind, args.name),
        }


@dataclass(frozen=True)
class Run:
    """What a program did."""

    registered: tuple[Registered, ...]
    outputs: Mapping[str, Any]
    invoked: tuple[str, ...]

    def of(self, *kinds: str) -> list[Registered]:
        """The AWS resources of these kinds (`Vpc`, `LaunchTemplate`, …)."""
        return [resource for resource in self.cloud if resource.kind in kinds]

    @property
    def cloud(self) -> list[Registered]:
        """The resources that AWS would see."""
        return [resource for resource in self.registered if resource.type.startswith("aws:")]

    @property
    def names(self) -> set[tuple[str, str]]:
        """Type and logical name of all resources."""
        return {(resource.type, resource.name) for resource in self.registered}


def stack_config(project: str, name: str) -> dict[str, Any]:
    """The configuration in a stack's file."""
    content = yaml.safe_load((PROJECTS / project / f"Pulumi.{name}.yaml").read_text())
    return dict(content["config"])


def as_engine_config(config: Mapping[str, Any]) -> dict[str, str]:
    """A configuration as the engine hands it to a program: objects as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def run_program(
    project: str,
    stack_name: str,
    config: Mapping[str, Any],
    *,
    references: Mapping[str, Mapping[str, Any]] | None = None,
    preview: bool = False,
) -> Run:
    """Run a project's `__main__.py` to its end; what it raises comes through."""
    engine = Engine(references=references or {})
    # The SDK keeps the stack's root resource in a context variable: each run has a context of its own.
    outputs = contextvars.Context().run(_run, engine, project, stack_name, config, preview)
    return Run(tuple(engine.registered), outputs, tuple(engine.invoked))


def _run(engine: Engine, project: str, stack_name: str, config: Mapping[str, Any], preview: bool) -> dict[str, Any]:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    outputs: dict[str, Any] = {}

    def program() -> None:
        with _folder(PROJECTS / project):
            runpy.run_path("__main__.py", run_name="__main__")

    async def run() -> None:
        await stack.run_pulumi_func(program)
        root: Any = pulumi.runtime.settings.get_root_resource()
        for key, value in root.outputs.items():
            outputs[key] = await pulumi.Output.from_input(value).future(with_unknowns=True)

    try:
        mocks.set_mocks(engine, project=project, stack=stack_name, preview=preview, organization="organization")
        pulumi.runtime.set_all_config(as_engine_config(config))
        # What a run that failed left unfinished must not be waited for by the next.
        pulumi.runtime.settings.SETTINGS.rpc_manager.clear()
        pulumi.runtime.settings.SETTINGS.outputs.clear()
        loop.run_until_complete(run())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
    return outputs

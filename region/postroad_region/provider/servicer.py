"""The gRPC service `ResourceProvider`: requests in, lifecycle calls, answers out."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from . import configuration, functions, registry, schema_export
from .checking import Naming, check
from .compare import Change, Difference
from .errors import InitFailed, ProviderError
from .lifecycle import Lifecycle
from .resource import Resource
from .wire import to_python, to_struct

VERSION = "7.51.1"
"""The version of pulumi-aws whose types the table follows."""

T = TypeVar("T")
_log = logging.getLogger(__name__)
_KINDS = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The `aws` provider of one engine at a time.

    The protocol doesn't say which configuration a request belongs to once a provider is attached by
    PULUMI_DEBUG_PROVIDERS, so the latest `Configure` holds for all: programs with two differently configured aws
    providers, or two engines with different configuration at once, need a process each.
    """

    def __init__(self) -> None:
        self._lifecycle: Lifecycle | None = None
        self._configured: dict[str, Any] | None = None
        self._lock = threading.Lock()

    # The engine's names of the calls:

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse()

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema_export.package(VERSION)))

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        failures = configuration.check(to_python(request.news))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        olds, news = to_python(request.old_inputs or request.olds), to_python(request.news)
        changed = sorted(key for key in {*olds, *news} - {"version"} if olds.get(key) != news.get(key))
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
        )

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        settings = configuration.parse(to_python(request.args), dict(request.variables))
        with self._lock:
            if self._lifecycle is None or settings != self._configured or self._lifecycle.cancelled.is_set():
                self._lifecycle = self._answer(context, "configure", lambda: configuration.lifecycle(settings))
                self._configured = settings
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False,
            supportsPreview=True,
            acceptResources=False,
            acceptOutputs=False,
            supports_autonaming_configuration=True,
        )

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self._lifecycle:
            self._lifecycle.cancelled.set()
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        def run() -> Any:
            return functions.invoke(self._ready().cloud, request.tok, to_python(request.args))

        # The field is called `return`, which Python keeps for itself.
        answer: dict[str, Any] = {"return": to_struct(self._answer(context, request.tok, run))}
        return provider_pb2.InvokeResponse(**answer)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        autonaming = request.autonaming if request.HasField("autonaming") else None
        mode = autonaming.mode if autonaming else 0
        naming = Naming(
            request.name or _name(request.urn),
            bytes(request.randomSeed),
            autonaming.proposed_name if autonaming and mode in (0, 1) else "",
            disabled=mode == provider_pb2.CheckRequest.AutonamingOptions.Mode.DISABLE,
        )
        verdict = self._answer(
            context, request.urn, lambda: check(resource, to_python(request.olds), to_python(request.news), naming)
        )
        return provider_pb2.CheckResponse(inputs=to_struct(verdict.inputs), failures=_failures(verdict.failures))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        state, inputs = to_python(request.olds), to_python(request.news)
        found = self._answer(
            context,
            request.urn,
            lambda: self._ready().diff(resource, state, inputs, list(request.ignoreChanges)),
        )
        return _diff_response(resource, found, inputs)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        inputs = to_python(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=to_struct(self._ready().planned(resource, inputs)))
        made = self._answer(
            context,
            f"creating {_where(request.urn)}",
            lambda: self._ready().create(resource, _name(request.urn), inputs, seconds=request.timeout),
        )
        return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.state))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        state, inputs = to_python(request.properties), to_python(request.inputs)
        found = self._answer(
            context,
            f"reading {_where(request.urn)} {request.id}",
            lambda: self._ready().read(resource, request.id, state, inputs if state or inputs else None),
        )
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=found.id, properties=to_struct(found.state), inputs=to_struct(found.inputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        state, inputs = to_python(request.olds), to_python(request.news)
        if request.preview:
            plan = self._ready().planned_update(resource, state, inputs)
            return provider_pb2.UpdateResponse(properties=to_struct(plan))
        new_state = self._answer(
            context,
            f"updating {_where(request.urn)} {request.id}",
            lambda: self._ready().update(
                resource,
                _name(request.urn),
                request.id,
                state,
                inputs,
                ignore=list(request.ignoreChanges),
                seconds=request.timeout,
            ),
        )
        return provider_pb2.UpdateResponse(properties=to_struct(new_state))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        resource = self._resource(request, context)
        state = to_python(request.properties)
        self._answer(
            context,
            f"deleting {_where(request.urn)} {request.id}",
            lambda: self._ready().delete(resource, _name(request.urn), request.id, state, seconds=request.timeout),
        )
        return empty_pb2.Empty()

    def _ready(self) -> Lifecycle:
        if self._lifecycle is None:
            self._lifecycle = configuration.lifecycle(configuration.parse({}, {}))
        return self._lifecycle

    def _resource(self, request: Any, context: Any) -> Resource:
        token = request.type or _type(request.urn)
        resource = registry.RESOURCES.get(token)
        if resource is None:
            _abort(
                context,
                f"{token} ({_name(request.urn)}) isn't among the types that the stand-in aws provider knows; "
                "`postroad-aws-provider types` lists them",
            )
        return resource

    def _answer(self, context: Any, what: str, run: Callable[[], T]) -> T:
        try:
            return run()
        except InitFailed as error:
            _abort_partial(context, f"{what}: {error}", error)
        except ProviderError as error:
            _abort(context, f"{what}: {error}")
        except Exception as error:  # noqa: BLE001 - the engine must get an answer, whatever happens
            _log.exception("%s", what)
            _abort(context, f"{what}: {type(error).__name__}: {error} (a fault of the provider; its log has the trace)")


def _diff_response(resource: Resource, found: list[Difference], inputs: Mapping[str, Any]) -> Any:
    replaces = sorted({d.top for d in found if d.replaces})
    named = False
    if resource.autoname and replaces:
        name = resource.autoname.property
        named = name not in (inputs.get("__defaults") or ()) and name not in replaces
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({d.top for d in found}),
        replaces=replaces,
        detailedDiff={d.path: provider_pb2.PropertyDiff(kind=_KINDS[d.change, d.replaces]) for d in found},
        hasDetailedDiff=True,
        deleteBeforeReplace=bool(replaces) and (resource.delete_first or named),
    )


def _failures(failures: list[tuple[str, str]]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures]


def _abort(context: Any, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort returns never")


def _abort_partial(context: Any, message: str, error: InitFailed) -> NoReturn:
    """Fail in the way that lets the engine record what was made (`ErrorResourceInitFailed`)."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=to_struct(error.state), inputs=to_struct(error.inputs), reasons=[message]
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _abort(context, message)


def _type(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _name(urn: str) -> str:
    return urn.split("::", 3)[-1]


def _where(urn: str) -> str:
    return f"{_type(urn)} {_name(urn)!r}"

"""A Pulumi language host for Python: the engine's gRPC service `LanguageRuntime`, as far as Postroad's programs
need it.

The engine is built from its Go module (`tools/pulumi`); the language host that ships with Pulumi's releases isn't a
module of its own, so this one stands in. It runs a program with `pulumi-language-python-exec` (from the engine's own
sdk module) and a policy pack with `python -m pulumi.policy`, always in the interpreter that runs the host.

Source: pulumi/proto/pulumi/language.proto of Pulumi v3.259.0.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

VERSION = "3.259.0"

# The exec script's way to say "the program failed and has already told the user why" (sdk/python/cmd/pulumi-language-
# python-exec).
EXIT_ALREADY_REPORTED = 32


def program_command(executor: str, engine: str, request: Any) -> list[str]:
    """The command line that runs the program of a `RunRequest`."""
    program = request.program
    if request.info.program_directory:
        program = os.path.join(request.info.program_directory, request.info.entry_point)
    options = {
        "--monitor": request.monitor_address,
        "--engine": engine,
        "--project": request.project,
        "--stack": request.stack,
        "--pwd": request.pwd,
        "--dry_run": str(request.dryRun).lower(),
        "--parallel": str(request.parallel),
        "--root_directory": request.info.root_directory,
        "--organization": request.organization,
    }
    arguments = [text for option, value in options.items() for text in (option, value)]
    return [sys.executable, "-u", executor, *arguments, program]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and policy packs for the engine; keeps their processes, so that they end with the host."""

    def __init__(self, executor: str, engine: str) -> None:
        self._executor = executor
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service names its methods
        """Learn the engine's address."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The version that the engine shows."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """No package is fetched: providers are attached or installed by the operator."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The older form of `GetRequiredPackages`."""
        return language_pb2.GetRequiredPluginsResponse()

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What `pulumi about` prints."""
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Dependencies are locked in `requirements/`, not managed by the engine."""
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Nothing to do: `make env` installs."""
        return iter(())

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        """No question is asked."""
        return language_pb2.RuntimeOptionsResponse()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run a program to its end."""
        environment = dict(os.environ)
        environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        child = subprocess.Popen(
            program_command(self._executor, self._engine, request),
            env=environment,
            cwd=request.pwd,
            stdout=sys.stderr.fileno(),
        )
        code = self._wait(child, context)
        if code == EXIT_ALREADY_REPORTED:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error="" if code == 0 else f"the program ended with exit code {code}")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a policy pack, passing on what it prints (its first line is the port that it serves)."""
        environment = dict(entry.split("=", 1) for entry in request.env) if request.env else dict(os.environ)
        child = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args, request.info.program_directory],
            env=environment,
            cwd=request.pwd,
            stdout=subprocess.PIPE,
            stderr=sys.stderr.fileno(),
        )
        with self._lock:
            self._children.add(child)
        context.add_callback(child.terminate)
        stdout = child.stdout
        if stdout is None:  # pragma: no cover - PIPE was asked for
            raise RuntimeError("the policy pack has no standard output")
        for octets in iter(lambda: os.read(stdout.fileno(), 4096), b""):
            yield language_pb2.RunPluginResponse(stdout=octets)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def end_children(self) -> None:
        """Terminate what still runs."""
        with self._lock:
            for child in self._children:
                child.terminate()

    def _wait(self, child: subprocess.Popen[bytes], context: Any) -> int:
        with self._lock:
            self._children.add(child)
        context.add_callback(child.terminate)
        try:
            return child.wait()
        finally:
            with self._lock:
                self._children.discard(child)


def main() -> None:
    """Serve until the engine ends us; print the port first, as the engine expects."""
    executor, engine = sys.argv[1], sys.argv[-1]
    if not Path(executor).is_file():
        sys.exit(f"pulumi language host: {executor} is missing; run: make env")
    server = grpc.server(futures.ThreadPoolExecutor(8))
    host = LanguageHost(executor, engine)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def stop(signum: int, frame: FrameType | None) -> None:
        # The engine forwards an interrupt to the whole group; the programs get it themselves, the host stays quiet.
        host.end_children()
        server.stop(grace=1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()

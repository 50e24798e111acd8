"""The command `postroad-aws-provider`."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent import futures

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from . import registry
from .servicer import Provider

THREADS = 32
MESSAGE_LIMIT = 64 * 1024 * 1024


def start(port: int = 0) -> tuple[grpc.Server, int]:
    """Serve on a loopback port (0 picks one); returns the running server and its port.

    Raises:
        RuntimeError: the port is taken.
    """
    options = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.so_reuseport", 0)]
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def serve(port: int) -> int:
    """Serve until SIGTERM or SIGINT; prints the port first, as Pulumi's plugins do."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server, bound = start(port)
    except RuntimeError:
        print(f"port {port} of 127.0.0.1 is in use: end what listens there, or give --port 0", file=sys.stderr)
        return 1
    print(bound, flush=True)
    stop.wait()
    server.stop(grace=1).wait()
    return 0


def types() -> str:
    """The table of what the provider knows: type, inputs (required ones marked), outputs."""
    lines = []
    for token, resource in sorted(registry.RESOURCES.items()):
        required = {prop.name for prop in resource.properties if prop.required}
        inputs = ", ".join(name + "*" * (name in required) for name in sorted(resource.input_names))
        lines += [token, f"  inputs   {inputs}", f"  outputs  {', '.join(resource.output_names)}"]
        lines.append(f"  import   {resource.import_id}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="postroad-aws-provider",
        description="Stand-in for Pulumi's aws provider; attach it with PULUMI_DEBUG_PROVIDERS=aws:<port>.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="serve until SIGTERM; prints the port")
    serving.add_argument("--port", type=int, default=0, help="loopback port; 0 picks one")
    commands.add_parser("types", help="print the types and properties it knows; * marks required ones")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if options.command == "types":
        print(types())
        return 0
    return serve(options.port)

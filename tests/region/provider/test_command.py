"""The command `postroad-aws-provider`."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
from postroad_region.provider import registry
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

COMMAND = str(Path(sys.executable).parent / "postroad-aws-provider")


def test_it_prints_its_port_serves_and_ends_quietly() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen(
            [COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            port = int(running.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                schema = json.loads(stub.GetSchema(provider_pb2.GetSchemaRequest(), timeout=10).schema)
            assert set(schema["resources"]) == set(registry.RESOURCES)
            running.send_signal(number)
            out, err = running.communicate(timeout=20)
            assert (running.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [COMMAND, "serve", "--port", port], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr.splitlines()[-1]


def test_it_lists_what_it_knows() -> None:
    told = subprocess.run([COMMAND, "types"], capture_output=True, text=True, timeout=60, check=True).stdout
    for token in registry.RESOURCES:
        assert f"{token}\n" in told
    assert "vpcId*" in told

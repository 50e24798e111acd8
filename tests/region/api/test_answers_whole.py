"""An answer leaves in one piece, so that a daemon that is killed has given all of it or none."""

import socket
import threading
from typing import Any

import pytest


def test_head_and_body_are_one_write(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    client = threading.get_ident()

    def noted(name: str) -> Any:
        original = getattr(socket.socket, name)

        def send(self: socket.socket, data: Any, *flags: int) -> Any:
            if threading.get_ident() != client:
                written.append(bytes(data))
            return original(self, data, *flags)

        return send

    for name in ("send", "sendall"):
        monkeypatch.setattr(socket.socket, name, noted(name))
    allocated = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    (answer,) = written
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert allocated.encode() in answer

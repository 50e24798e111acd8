"""The instance metadata service, version 2 only.

A caller is known by its private address. Without a session token the answer is 401, as where `HttpTokens` is
`required`.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from postroad_region.fabric.model import Interface
from postroad_region.hypervisor.model import Instance

TOKEN_HEADER = "X-aws-ec2-metadata-token"
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
MAX_TTL_SECONDS = 21600


def document(instance: Instance) -> dict[str, bytes]:
    """Every metadata path below `/latest/` with its value."""
    primary = instance.interfaces[0]
    public = dict(primary.public).get(instance.address)
    values = {
        "meta-data/instance-id": instance.id,
        "meta-data/ami-id": instance.image,
        "meta-data/instance-type": instance.type,
        "meta-data/hostname": f"{instance.hostname}.ec2.internal",
        "meta-data/local-hostname": f"{instance.hostname}.ec2.internal",
        "meta-data/local-ipv4": str(instance.address),
        "meta-data/mac": primary.mac,
        "meta-data/placement/availability-zone": instance.zone,
        "meta-data/placement/region": instance.region,
        "dynamic/instance-identity/document": json.dumps(
            {
                "accountId": instance.account,
                "availabilityZone": instance.zone,
                "imageId": instance.image,
                "instanceId": instance.id,
                "instanceType": instance.type,
                "pendingTime": instance.launched,
                "privateIp": str(instance.address),
                "region": instance.region,
            }
        ),
    }
    if public is not None:
        values["meta-data/public-ipv4"] = str(public)
    for interface in instance.interfaces:
        values |= _interface(interface)
    if instance.public_key:
        values["meta-data/public-keys/0/openssh-key"] = instance.public_key.strip() + "\n"
    if instance.role:
        values[f"meta-data/iam/security-credentials/{instance.role}"] = json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": f"ASIA{instance.id[-16:].upper()}",
                "SecretAccessKey": instance.id,
                "Token": instance.id,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + MAX_TTL_SECONDS)),
            }
        )
    encoded = {path: value.encode() for path, value in values.items()}
    if instance.user_data:
        encoded["user-data"] = instance.user_data
    return encoded


def _interface(interface: Interface) -> dict[str, str]:
    prefix = f"meta-data/network/interfaces/macs/{interface.mac}"
    values = {
        f"{prefix}/device-number": str(interface.index),
        f"{prefix}/interface-id": interface.id,
        f"{prefix}/local-ipv4s": "\n".join(str(address) for address in interface.addresses),
        f"{prefix}/mac": interface.mac,
        f"{prefix}/subnet-id": interface.subnet.id,
        f"{prefix}/subnet-ipv4-cidr-block": str(interface.subnet.network),
        f"{prefix}/vpc-id": interface.subnet.vpc_id,
    }
    if interface.public:
        values[f"{prefix}/public-ipv4s"] = "\n".join(str(public) for _, public in interface.public)
    for private, public in interface.public:
        values[f"{prefix}/ipv4-associations/{public}"] = str(private)
    return values


def lookup(values: dict[str, bytes], path: str) -> bytes | None:
    """A value, or a listing where the path is a folder, or None."""
    path = path.strip("/")
    if path in values:
        return values[path]
    prefix = f"{path}/" if path else ""
    below = {key[len(prefix) :] for key in values if key.startswith(prefix)}
    names = sorted({name.split("/")[0] + ("/" if "/" in name else "") for name in below})
    return "\n".join(names).encode() if names else None


class MetadataService:
    """Answers on a listening socket of the fabric; `find` gives the instance of an address."""

    def __init__(self, listener: socket.socket, find: Callable[[str], Instance | None]) -> None:
        self._find = find
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            server_version = "EC2ws"
            sys_version = ""
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_PUT(self) -> None:
                service.give_token(self)

            def do_GET(self) -> None:
                service.give_value(self)

            def log_message(self, format: str, *args: Any) -> None:
                """Metadata requests aren't logged: hosts poll."""

        # The socket was made in the fabric's namespace; the server only has to take it over.
        self._server = ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.socket.close()
        self._server.socket = listener
        self._thread = threading.Thread(target=self._server.serve_forever, name="metadata", daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the service and close its socket."""
        self._server.shutdown()
        self._server.server_close()

    def give_token(self, request: BaseHTTPRequestHandler) -> None:
        """Answer `PUT /latest/api/token`; a forwarded request is refused, as AWS does."""
        ttl = request.headers.get(TTL_HEADER, "")
        if request.path != "/latest/api/token" or "X-Forwarded-For" in request.headers:
            _answer(request, 403, b"")
        elif not ttl.isdigit() or not 1 <= int(ttl) <= MAX_TTL_SECONDS:
            _answer(request, 400, b"")
        else:
            token = secrets.token_urlsafe(40)
            with self._lock:
                now = time.monotonic()
                self._tokens = {key: value for key, value in self._tokens.items() if value[1] > now}
                self._tokens[token] = (request.client_address[0], now + int(ttl))
            _answer(request, 200, token.encode(), ttl=ttl)

    def give_value(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a GET below `/latest/`."""
        address = str(request.client_address[0])
        owner, expires = self._tokens.get(request.headers.get(TOKEN_HEADER, ""), ("", 0.0))
        if owner != address or expires <= time.monotonic():
            _answer(request, 401, b"")
            return
        instance = self._find(address)
        path = request.path.removeprefix("/latest").split("?")[0]
        value = lookup(document(instance), path) if instance else None
        _answer(request, 404 if value is None else 200, value or b"")


def _answer(request: BaseHTTPRequestHandler, status: int, body: bytes, *, ttl: str = "") -> None:
    request.send_response(status)
    request.send_header("Content-Type", "text/plain")
    request.send_header("Content-Length", str(len(body)))
    if ttl:
        request.send_header(TTL_HEADER, ttl)
    request.end_headers()
    request.wfile.write(body)

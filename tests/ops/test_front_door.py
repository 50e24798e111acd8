"""Mail goes through the front door where there is one, over TLS that is verified."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from postroad_ops import delivery, front_door, hosts, up
from postroad_ops.front_door import Door
from postroad_region.ca import ensure_authority

ARN = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/postroad-local-smtp/0011"


class Api:
    """The calls that are made, answered from a table of listeners."""

    def __init__(self, listeners: list[dict[str, Any]], environment: str = "local") -> None:
        self.listeners = listeners
        self.environment = environment

    def describe_load_balancers(self) -> dict[str, Any]:
        return {"LoadBalancers": [{"LoadBalancerArn": ARN, "Type": "network"}]}

    def describe_tags(self, ResourceArns: list[str]) -> dict[str, Any]:
        tags = [{"Key": "Environment", "Value": self.environment}]
        return {"TagDescriptions": [{"ResourceArn": ResourceArns[0], "Tags": tags}]}

    def describe_listeners(self, LoadBalancerArn: str) -> dict[str, Any]:
        return {"Listeners": self.listeners}

    def describe_certificate(self, CertificateArn: str) -> dict[str, Any]:
        return {"Certificate": {"DomainName": "smtp.postroad.test"}}

    def describe_network_interfaces(self, Filters: list[dict[str, Any]]) -> dict[str, Any]:
        assert Filters == [{"Name": "description", "Values": ["ELB net/postroad-local-smtp/0011"]}]
        return {"NetworkInterfaces": [{"PrivateIpAddress": "10.20.48.5"}, {"PrivateIpAddress": "10.20.16.5"}]}


def listener(port: int, protocol: str = "TLS") -> dict[str, Any]:
    certificates = [{"CertificateArn": "arn:certificate"}] if protocol == "TLS" else []
    return {"Port": port, "Protocol": protocol, "Certificates": certificates}


@pytest.mark.parametrize(
    ("listeners", "environment", "expected"),
    [
        ([listener(587), listener(465)], "local", 465),
        ([listener(587), listener(25, "TCP")], "local", 587),
        ([listener(25, "TCP")], "local", None),
        ([listener(465)], "uat", None),
    ],
)
def test_the_doors_are_the_balancers_nodes_by_its_port_with_tls(
    listeners: list[dict[str, Any]], environment: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "client", lambda service, stack: Api(listeners, environment))
    wanted = [Door(a, expected, "smtp.postroad.test") for a in ("10.20.16.5", "10.20.48.5")] if expected else []
    assert front_door.doors("local") == wanted


def test_a_stack_without_a_front_door_sends_to_its_mtas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "client", lambda service, stack: Api([]))
    monkeypatch.setattr(up, "ready_mtas", lambda: ["10.20.0.4"])
    assert up.submission() == ["10.20.0.4"]


class Sink:
    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.recipients += envelope.rcpt_tos
        return "250 taken"


class OverTls(Controller):
    def _trigger_server(self) -> None:
        """The controller's own trial connection, which can't know the certificate's name."""
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trial.check_hostname, trial.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.hostname, self.port)) as plain, trial.wrap_socket(plain) as connection:
            connection.recv(100)


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sink, Door]]:
    monkeypatch.setenv("POSTROAD_REGION_STATE", str(tmp_path))
    issued = ensure_authority(tmp_path / "ca").issue(["smtp.postroad.test"])
    (tmp_path / "server.pem").write_bytes(issued.chain + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sink = Sink()
    controller = OverTls(sink, hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    yield sink, Door("127.0.0.1", port, "smtp.postroad.test")
    controller.stop(no_assert=True)


def test_mail_goes_in_over_tls_that_is_verified(door: tuple[Sink, Door]) -> None:
    sink, target = door
    sender = delivery.Sender([target], sender="a@postroad.test", domain="gmail.test", octets=500, rate=None)
    accepted, refused = sender.send("batch", 3)
    assert (len(accepted), refused) == (3, {})
    assert sorted(sink.recipients) == [f"user-batch-{number}@gmail.test" for number in range(3)]


def test_a_certificate_of_another_name_is_not_talked_to(door: tuple[Sink, Door]) -> None:
    _, target = door
    with pytest.raises(ssl.SSLCertVerificationError):
        delivery._connect(Door(target.address, target.port, "other.test"))

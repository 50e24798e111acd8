"""The MTA behind a load balancer: the PROXY header's address is the one judged, and a probe may carry a header."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from daemons import MtaDaemon, wait_until
from postroad.wire.proxy_protocol import SIGNATURE, encode_v2

CLIENT, STRANGER, BALANCER = IPv4Address("10.20.255.10"), IPv4Address("203.0.113.9"), IPv4Address("10.20.16.5")
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def header(client: IPv4Address) -> bytes:
    return encode_v2(client, 40000, BALANCER, 587)


@pytest.fixture
def mta(new_mta: Callable[..., MtaDaemon]) -> MtaDaemon:
    return new_mta(smart_host=1, relay_from="10.20.255.0/24", proxy_from="127.0.0.0/8")


class Dialogue:
    """A connection whose replies are read one at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._file = self.socket.makefile("rb")

    def say(self, *octets: bytes) -> None:
        for each in octets:
            self.socket.sendall(each)

    def reply(self) -> str:
        while (line := self._file.readline())[3:4] == b"-":
            continue
        return line.decode().rstrip()


def recipient_reply(port: int, *opening: bytes) -> str:
    dialogue = Dialogue(port)
    dialogue.say(*opening)
    assert dialogue.reply().startswith("220 ")
    for command in (b"EHLO client.test", b"MAIL FROM:<a@x.test>", b"RCPT TO:<b@y.test>"):
        dialogue.say(command + b"\r\n")
        answer = dialogue.reply()
    return answer


def test_the_headers_address_is_judged_and_not_the_balancers(mta: MtaDaemon) -> None:
    assert recipient_reply(mta.port, header(CLIENT)).startswith("250 ")
    assert recipient_reply(mta.port, header(STRANGER)).startswith("55")
    wait_until(lambda: mta.events("rejection"))
    assert mta.events("rejection")[0]["peer"] == str(STRANGER)


def test_a_header_in_pieces_is_taken_and_so_is_what_comes_with_it(mta: MtaDaemon) -> None:
    octets = header(CLIENT)
    assert recipient_reply(mta.port, *(octets[i : i + 1] for i in range(len(octets)))).startswith("250 ")
    dialogue = Dialogue(mta.port)
    dialogue.say(octets + b"NOOP\r\n")
    assert dialogue.reply().startswith("220 ")
    assert dialogue.reply().startswith("250 ")


def test_nothing_is_said_before_the_header_and_a_connection_without_one_is_closed(mta: MtaDaemon) -> None:
    dialogue = Dialogue(mta.port)
    dialogue.say(b"EHLO client.test\r\n")
    try:
        said = dialogue.socket.recv(100)
    except ConnectionResetError:
        said = b""
    assert said == b""
    wait_until(lambda: mta.events("proxy_header"))
    assert 'refused_messages_total{reason="proxy_header"} 1.0' in mta.get("/metrics")


def test_a_balancers_own_connection_may_not_send_whatever_its_network(new_mta: Callable[..., MtaDaemon]) -> None:
    mta = new_mta(smart_host=1, proxy_from="127.0.0.0/8")
    assert recipient_reply(mta.port, LOCAL).startswith("55")


def test_who_is_no_balancer_needs_no_header(new_mta: Callable[..., MtaDaemon]) -> None:
    mta = new_mta(smart_host=1, proxy_from="10.20.16.0/20")
    assert recipient_reply(mta.port).startswith("250 ")


def test_a_waiting_header_does_not_keep_the_mta_from_stopping(mta: MtaDaemon) -> None:
    dialogue = Dialogue(mta.port)
    dialogue.say(SIGNATURE[:5])
    mta.stop()


@pytest.mark.parametrize("opening", [b"", LOCAL, header(STRANGER)], ids=["none", "local", "proxy"])
def test_readiness_is_told_to_a_probe_with_and_without_a_header(mta: MtaDaemon, opening: bytes) -> None:
    with socket.create_connection(("127.0.0.1", mta.admin_port), timeout=15) as connection:
        connection.sendall(opening[:7])
        connection.sendall(opening[7:] + b"GET /ready HTTP/1.1\r\nHost: balancer\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_header_makes_nobody_an_operator(mta: MtaDaemon) -> None:
    with socket.create_connection(("127.0.0.1", mta.admin_port), timeout=15) as connection:
        connection.sendall(SIGNATURE + b"\x21\x11\x00\x01x")
        try:
            assert connection.recv(100) == b""
        except ConnectionResetError:
            return

"""Clients that take what they can get: memory stays bounded, and others are served."""

import contextlib
import resource
import smtplib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from daemons import MtaDaemon, wait_until

OPENING = b"EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
MIB = 1 << 20


@pytest.fixture
def connect() -> Iterator[Callable[..., socket.socket]]:
    with ExitStack() as stack:

        def make(mta: MtaDaemon, *, timeout: float = 20.0) -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", mta.port), timeout))

        yield make


def memory(mta: MtaDaemon) -> float:
    return mta.metric("postroad_mta_resident_bytes")


def send(mta: MtaDaemon) -> int:
    with smtplib.SMTP("127.0.0.1", mta.port, timeout=20) as client:
        client.ehlo()
        client.mail("a@x.test")
        client.rcpt("b@y.test")
        return client.data("From: a@x.test\n\nbody\n")[0]


def last_words(connection: socket.socket) -> str:
    """What is said until the connection is closed; its last line."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(1 << 16):
            said = (said + piece)[-200:]
    return said.splitlines()[-1].decode() if said else ""


def push(connection: socket.socket, octets: bytes, times: int) -> int:
    """Send it as often as is taken; how often that was."""
    for number in range(times):
        try:
            connection.sendall(octets)
        except OSError:
            return number
    return times


def test_commands_that_come_drop_by_drop_are_given_up(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, listener='command_timeout = "2s"')
    slow = [connect(mta) for _ in range(100)]
    alive = set(slow)
    end = time.monotonic() + 20
    while alive and time.monotonic() < end:
        for connection in list(alive):
            # Each octet comes in time; the command never ends.
            try:
                connection.sendall(b"N")
            except OSError:
                alive.discard(connection)
        assert send(mta) == 250
    assert alive == set()
    wait_until(lambda: mta.metric('postroad_mta_sessions{direction="in"}') == 0)


def test_a_message_that_comes_drop_by_drop_is_given_up_and_a_slow_one_is_not(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, listener='message_timeout = "2s"\nmin_rate = "1KiB"')
    dripping, steady, chunked = (connect(mta) for _ in range(3))
    for connection in (dripping, steady):
        connection.sendall(OPENING + b"DATA\r\n")
    chunked.sendall(OPENING)
    end = time.monotonic() + 20
    cut = set()
    began = time.monotonic()
    while len(cut) < 2 and time.monotonic() < end:
        for connection, octets in ((dripping, b"x"), (chunked, b"BDAT 1\r\nx")):
            try:
                connection.sendall(octets)
            except OSError:
                cut.add(connection)
        steady.sendall(b"x" * 500 + b"\r\n")
        # A pace, not a wait for anything.
        time.sleep(0.05)
    assert cut == {dripping, chunked}
    assert time.monotonic() - began > 2
    steady.sendall(b".\r\nQUIT\r\n")
    assert last_words(steady).startswith("221")


def test_a_line_without_end_is_cut(new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]) -> None:
    mta = new_mta(smart_host=1)
    before = memory(mta)
    for opening in (b"", OPENING, b"EHLO c\r\nMAIL FROM:<"):
        connection = connect(mta)
        connection.sendall(opening)
        assert push(connection, b"x" * 65536, 2000) < 2000
    assert memory(mta) - before < 16 * MIB
    assert send(mta) == 250


def test_a_message_without_end_is_cut(new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]) -> None:
    mta = new_mta(smart_host=1, listener='max_message_size = "1MiB"')
    before = memory(mta)
    connection = connect(mta)
    connection.sendall(OPENING + b"DATA\r\n")
    assert push(connection, (b"x" * 998 + b"\r\n") * 64, 2000) < 2000
    assert memory(mta) - before < 16 * MIB
    assert send(mta) == 250


@pytest.mark.parametrize("command", [b"EHLO c\r\n", b"NOOP\r\n", b"RSET\r\n", b"NONSENSE\r\n", b"BDAT 0\r\n"])
def test_a_pipeline_without_end_is_cut(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket], command: bytes
) -> None:
    mta = new_mta(smart_host=1)
    before = memory(mta)
    connection = connect(mta)
    assert push(connection, command * 10_000, 1000) < 1000
    assert memory(mta) - before < 16 * MIB
    assert send(mta) == 250


def test_who_does_not_read_replies_is_not_read_from_and_then_cut(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, listener='command_timeout = "3s"\nmax_recipients = 50000')
    before = memory(mta)
    recipient = b"RCPT TO:<b@y.test> ORCPT=rfc822;" + b"x" * 400 + b"\r\n"
    transaction = b"MAIL FROM:<a@x.test>\r\n" + recipient * 2000 + b"RSET\r\n"
    for _ in range(5):
        connection = connect(mta, timeout=1.0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"EHLO c\r\n")
        assert push(connection, transaction, 90) < 90
    assert memory(mta) - before < 64 * MIB
    assert send(mta) == 250
    wait_until(lambda: mta.metric('postroad_mta_sessions{direction="in"}') == 0, seconds=60)


@pytest.fixture
def descriptors() -> Iterator[int]:
    """As many as there may be, also for daemons that are started from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_idle_connections_leave_room_for_others(
    descriptors: int, new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    count = min(10_000, descriptors - 500)
    mta = new_mta(smart_host=1, listener="max_sessions = 100000\nmax_sessions_per_client = 100000")
    before = memory(mta)
    idle = [connect(mta) for _ in range(count)]
    for connection in idle:
        connection.sendall(b"EHLO c\r\n")
    assert all(connection.recv(100).startswith(b"220") for connection in idle)
    assert mta.metric('postroad_mta_sessions{direction="in"}') == count
    assert (memory(mta) - before) / count < 32 * 1024
    assert send(mta) == 250


def test_messages_that_never_end_share_a_bounded_memory(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, listener='max_message_size = "10MiB"', more='[limits]\nunfinished_messages = "20MiB"\n')
    before = memory(mta)
    connections = [connect(mta) for _ in range(20)]
    for connection in connections:
        connection.sendall(OPENING + b"DATA\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 1022 + b"\r\n") * 8000)
    wait_until(lambda: mta.metric("postroad_mta_unfinished_message_bytes") > 15 * MIB)
    assert mta.metric("postroad_mta_unfinished_message_bytes") <= 20 * MIB
    assert memory(mta) - before < 80 * MIB
    for connection in connections:
        connection.sendall(b".\r\nQUIT\r\n")
    replies = [connection.makefile("rb").read().splitlines()[-2][:9] for connection in connections]
    assert replies.count(b"452 4.3.1") >= 10
    assert b"250 2.0.0" in replies
    assert mta.metric("postroad_mta_unfinished_message_bytes") == 0
    assert send(mta) == 250


def test_one_client_has_so_many_connections(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, listener="max_sessions_per_client = 2")
    first, second = connect(mta), connect(mta)
    assert first.recv(100).startswith(b"220")
    assert second.recv(100).startswith(b"220")
    assert last_words(connect(mta)).startswith("421 4.7.0 too many connections from your address")
    assert mta.metric('postroad_mta_refused_connections_total{reason="client_sessions"}') == 1
    first.close()
    wait_until(lambda: connect(mta).recv(100).startswith(b"220"))


def test_without_memory_connections_get_421(
    new_mta: Callable[..., MtaDaemon], connect: Callable[..., socket.socket]
) -> None:
    mta = new_mta(smart_host=1, more='[limits]\nmemory = "1MiB"\n')
    assert last_words(connect(mta)).startswith("421 4.3.1 short of memory")
    assert mta.metric('postroad_mta_refused_connections_total{reason="memory"}') == 1

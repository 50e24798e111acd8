"""What a balancer does with real HAProxy in front of real sockets."""

import contextlib
import dataclasses
import os
import signal
import ssl
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest
from postroad_region.balancer.balancers import Balancers
from postroad_region.balancer.health import CHECKING, DRAINING, HEALTHY, UNHEALTHY
from postroad_region.balancer.model import Draining, HealthCheck, Listener
from postroad_region.ca import ensure_authority

from tests.region.balancer.conftest import ARN, Place, eventually, greeting

pytestmark = pytest.mark.root

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def state(balancers: Balancers, target: str) -> str:
    balancers.look()
    found = balancers.states().get((ARN, target))
    return found.state if found else ""


def pid(place: Place) -> int:
    identity = place.balancers()._server(place.node.name).process.running()
    assert identity is not None
    return identity.pid


def test_a_target_gets_connections_after_its_first_probe_and_the_api_knows(place: Place) -> None:
    balancers, target = place.balancers(), place.target(1)
    balancers.apply([place.balancer(target)])
    eventually(lambda: state(balancers, "t1") == "healthy", seconds=5)
    assert place.answered_by() == "t1"
    assert balancers.status()["front"]["targets"] == {"t1": "healthy"}
    assert place.changes
    balancers.close()


def test_the_target_gets_the_clients_address_in_a_version_2_header_and_probes_carry_one_too(place: Place) -> None:
    balancers, target = place.balancers(), place.target(1)
    balancers.apply([place.balancer(target, proxy_protocol=True)])
    eventually(lambda: state(balancers, "t1") == "healthy")
    with place.connect() as connection:
        client = connection.getsockname()
        assert greeting(connection) == "t1"
        connection.sendall(b"hi")
        eventually(lambda: target.heads)
    head = target.heads[0]
    assert head.startswith(SIGNATURE + b"\x21\x11")
    assert head[16:20] == bytes(map(int, client[0].split(".")))
    assert int.from_bytes(head[24:26], "big") == client[1]
    assert int.from_bytes(head[26:28], "big") == 587
    # LOCAL: the balancer speaks for itself.
    assert target.probes[0].startswith(SIGNATURE + b"\x20")
    assert b"GET /ready HTTP/1.1\r\n" in target.probes[0]
    balancers.close()


def test_tls_ends_at_the_balancer_with_a_certificate_of_the_region(place: Place, tmp_path: Path) -> None:
    authority = ensure_authority(tmp_path)
    issued = authority.issue(["smtp.postroad.test"])
    pem = (issued.chain + issued.key).decode()
    balancers, target = place.balancers(), place.target(1)
    listeners = (Listener(465, "TLS", ARN, (pem,)),)
    balancers.apply([place.balancer(target, listeners=listeners)])
    eventually(lambda: state(balancers, "t1") == "healthy")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    with (
        place.connect(465) as plain,
        context.wrap_socket(plain, server_hostname="smtp.postroad.test") as connection,
    ):
        assert connection.recv(100) == b"220 t1\r\n"
        assert connection.version() == "TLSv1.3"
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with place.connect(465) as plain, pytest.raises(OSError, match=r"ALERT|closed|EOF|reset|VERSION"):
        old.wrap_socket(plain)
    balancers.close()


def test_an_unhealthy_target_gets_no_connections_and_comes_back(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2)
    balancers.apply([place.balancer(one, two)])
    eventually(lambda: {state(balancers, "t1"), state(balancers, "t2")} == {"healthy"})
    two.ready = 503
    eventually(lambda: ("tg_00112233", "t2") not in balancers._up[place.node.name] and state(balancers, "t1"))
    assert {place.answered_by() for _ in range(10)} == {"t1"}
    eventually(lambda: balancers.unhealthy_targets() == {(ARN, "t2")} or state(balancers, "t2") == "")
    two.ready = 200
    eventually(lambda: state(balancers, "t2") == "healthy")
    eventually(lambda: "t2" in {place.answered_by() for _ in range(10)})
    balancers.close()


def test_when_nobody_is_healthy_everybody_gets_connections(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1, ready=503), place.target(2, ready=503)
    balancers.apply([place.balancer(one, two, registered=0.0)])
    eventually(lambda: balancers.look() or balancers.unhealthy_targets() == {(ARN, "t1"), (ARN, "t2")})
    eventually(lambda: {place.answered_by() for _ in range(10)} == {"t1", "t2"})
    assert balancers.names()["front-1.elb.us-east-1.amazonaws.com"] == ["10.20.16.5"]
    one.ready = 200
    eventually(lambda: state(balancers, "t1") == "healthy")
    assert {place.answered_by() for _ in range(10)} == {"t1"}
    balancers.close()


def test_a_target_that_has_not_been_probed_enough_is_initial(place: Place) -> None:
    balancers = place.balancers()
    target = place.target(1, ready=503)
    check = HealthCheck("HTTP", 8025, "/ready", "200", interval=60, timeout=1)
    balancers.apply([place.balancer(target, check=check)])
    eventually(lambda: balancers.look() or balancers.states()[ARN, "t1"] == CHECKING)
    eventually(lambda: target.probes)
    assert balancers.unhealthy_targets() == set()
    balancers.close()


def test_a_deregistered_target_keeps_its_connections_and_gets_no_new_ones(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2)
    balancers.apply([place.balancer(one, two)])
    eventually(lambda: {state(balancers, "t1"), state(balancers, "t2")} == {"healthy"})
    held = None
    while held is None:
        connection = place.connect()
        held = connection if greeting(connection) == "t2" else connection.close()
    draining = (Draining("t2", time.time() + 600),)
    balancers.apply([place.balancer(one, draining=draining)])
    assert {place.answered_by() for _ in range(10)} == {"t1"}
    assert balancers.states()[ARN, "t2"] == DRAINING
    assert balancers.draining_targets() == {(ARN, "t2")}
    held.sendall(b"ok")
    assert held.recv(10) == b"ok"
    held.close()
    balancers.close()


def test_connections_are_cut_at_the_end_of_the_delay_where_the_group_says_so(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2)
    balancers.apply([place.balancer(one, two)])
    eventually(lambda: {state(balancers, "t1"), state(balancers, "t2")} == {"healthy"})
    held = None
    while held is None:
        connection = place.connect()
        held = connection if greeting(connection) == "t2" else connection.close()
    ends = time.time() + 1.0
    balancers.apply([place.balancer(one, draining=(Draining("t2", ends),), terminates=True)])
    assert held.recv(10) == b""
    assert time.time() >= ends
    balancers.close()


def test_reloads_under_load_drop_nothing(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2)
    wanted = place.balancer(one, two)
    balancers.apply([wanted])
    eventually(lambda: {state(balancers, "t1"), state(balancers, "t2")} == {"healthy"})
    stop, outcomes = threading.Event(), Counter[str]()

    def load() -> None:
        while not stop.is_set():
            try:
                outcomes["answered" if place.answered_by() else "closed"] += 1
            except OSError as error:
                outcomes[f"{type(error).__name__}"] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(6):
        extra = (Listener(9000 + number, "TCP", ARN),)
        balancers.apply([dataclasses.replace(wanted, listeners=wanted.listeners + extra)])
    stop.set()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {"answered"}
    assert outcomes["answered"] > 50
    balancers.close()


def test_a_reload_keeps_what_is_known_of_health(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2, ready=503)
    wanted = place.balancer(one, two, registered=0.0)
    balancers.apply([wanted])
    eventually(lambda: (state(balancers, "t1"), state(balancers, "t2")) == ("healthy", "unhealthy"))
    balancers.apply([dataclasses.replace(wanted, listeners=(*wanted.listeners, Listener(588, "TCP", ARN)))])
    balancers.look()
    assert (balancers.states()[ARN, "t1"], balancers.states()[ARN, "t2"]) == (HEALTHY, UNHEALTHY)
    balancers.close()


def test_a_haproxy_that_was_killed_comes_back_with_what_it_knew(place: Place) -> None:
    balancers = place.balancers()
    one, two = place.target(1), place.target(2, ready=503)
    wanted = place.balancer(one, two, registered=0.0)
    balancers.apply([wanted])
    eventually(lambda: (state(balancers, "t1"), state(balancers, "t2")) == ("healthy", "unhealthy"))
    assert not balancers.needs_look()
    os.kill(pid(place), signal.SIGKILL)
    eventually(balancers.needs_look)
    balancers.apply([wanted])
    balancers.look()
    assert (balancers.states()[ARN, "t1"], balancers.states()[ARN, "t2"]) == (HEALTHY, UNHEALTHY)
    assert {place.answered_by() for _ in range(5)} == {"t1"}
    balancers.close()


def test_the_next_daemon_takes_up_what_runs(place: Place) -> None:
    first = place.balancers()
    wanted = place.balancer(place.target(1))
    first.apply([wanted])
    eventually(lambda: state(first, "t1") == "healthy")
    before = pid(place)
    first.close()
    second = place.balancers()
    second.apply([wanted])
    assert pid(place) == before
    assert second.states()[ARN, "t1"] == HEALTHY
    second.close()


def test_a_balancer_that_is_gone_leaves_no_process_and_no_file(place: Place) -> None:
    balancers = place.balancers()
    balancers.apply([place.balancer(place.target(1))])
    assert pid(place)
    balancers.apply([])
    assert list((place.paths.state / "balancers").iterdir()) == []
    with contextlib.suppress(ConnectionRefusedError), place.connect() as connection:
        assert greeting(connection) == ""
    balancers.close()


def test_a_port_that_can_not_be_listened_on_is_a_fault_and_mended_later(place: Place) -> None:
    balancers = place.balancers()
    wanted = place.balancer(place.target(1), listeners=(Listener(8025, "TCP", ARN), Listener(587, "TCP", ARN)))
    elsewhere = dataclasses.replace(wanted, nodes=(dataclasses.replace(place.node, address=place.node.address + 1),))
    balancers.apply([elsewhere])
    (fault,) = balancers.faults.values()
    assert "nlb-test" in fault
    balancers.apply([wanted])
    assert balancers.faults == {}
    balancers.close()

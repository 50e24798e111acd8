"""What is written for HAProxy, and what its sightings mean: tables."""

import shutil
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from postroad_region.balancer.configuration import Files, configuration, health_file, up_in
from postroad_region.balancer.health import (
    CHECKING,
    DRAINING,
    HEALTHY,
    REGISTERING,
    UNCHECKED,
    UNHEALTHY,
    ZONE_NOT_ENABLED,
    TargetState,
    answering,
    first_passes,
    target_states,
)
from postroad_region.balancer.model import Balancer, Draining, HealthCheck, Listener, Node, Target, TargetGroup
from postroad_region.balancer.statistics import Sighting, parse_processes, parse_sessions, parse_statistics

A, B = "us-east-1a", "us-east-1b"
ARN = "arn:targetgroup/mta/0011"
NODES = (
    Node("nlb-a", A, IPv4Address("10.20.16.5"), IPv4Address("198.18.113.5")),
    Node("nlb-b", B, IPv4Address("10.20.48.5"), IPv4Address("198.18.113.6")),
)
TARGETS = (
    Target("i-a", IPv4Address("10.20.0.4"), 587, A, registered=1000.0),
    Target("i-b", IPv4Address("10.20.32.4"), 587, B, registered=1000.0),
)
CHECK = HealthCheck("HTTP", 8025, "/ready", "200", interval=5, timeout=2, rise=2, fall=3)
UP, DOWN, PASSED = Sighting(True, True, 0), Sighting(False, False, 0), Sighting(False, True, 0)


def balancer(listeners: tuple[Listener, ...] = (Listener(587, "TCP", ARN),), **group: Any) -> Balancer:
    fields = {"targets": TARGETS, "check": CHECK, **group}
    return Balancer(
        "arn", "front", "front.elb.us-east-1.amazonaws.com", NODES, listeners, (TargetGroup(ARN, **fields),)
    )


def written(made: Balancer, folder: Path = Path("/run/x"), node: Node = NODES[0]) -> str:
    return configuration(made, node, Files(folder / "stats", folder / "health", folder / "certificates"))


@pytest.mark.parametrize(
    ("group", "present", "absent"),
    [
        ({}, ["server i-a 10.20.0.4:587 check port 8025 inter 5s", "rise 2 fall 3"], ["i-b", "send-proxy"]),
        ({"cross_zone": True}, ["server i-a 10.20.0.4:587", "server i-b 10.20.32.4:587"], []),
        ({"proxy_protocol": True}, [" send-proxy-v2 check", " check-send-proxy"], []),
        ({"cuts_unhealthy": True}, [" on-marked-down shutdown-sessions"], []),
        ({"cuts_unhealthy": False}, [], ["on-marked-down"]),
        ({"sticky": True}, ["balance source"], ["balance random"]),
        ({"protocol": "TLS"}, [" ssl verify none check", " no-check-ssl"], []),
        ({"check": HealthCheck("TCP")}, ["check inter 30s"], ["option httpchk", " port "]),
        ({"check": HealthCheck("HTTPS", 443)}, ["check-ssl verify none", "uri / "], []),
        ({"check": HealthCheck(enabled=False)}, ["server i-a 10.20.0.4:587\n"], [" check"]),
    ],
    ids=str,
)
def test_a_groups_attributes_are_in_the_configuration(
    group: dict[str, Any], present: list[str], absent: list[str]
) -> None:
    text = written(balancer(**group))
    assert [piece for piece in present if piece not in text] == []
    assert [piece for piece in absent if piece in text] == []


def test_a_listener_is_on_the_nodes_own_address_with_its_idle_timeout() -> None:
    text = written(balancer((Listener(465, "TLS", ARN, ("PEM",), "TLSv1.3", idle=900),)))
    assert "bind 10.20.16.5:465 ssl crt /run/x/certificates/" in text
    assert "ssl-min-ver TLSv1.3" in text
    assert "timeout client 900s" in text
    assert "timeout server 900s" in text


def test_equal_balancers_have_equal_configurations_and_others_another_digest() -> None:
    assert written(balancer()) == written(balancer())
    digests = {written(made).split("description ")[1].split()[0] for made in (balancer(), balancer(sticky=True))}
    assert len(digests) == 2


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy isn't installed")
@pytest.mark.parametrize("group", [{}, {"protocol": "TLS"}, {"check": HealthCheck("HTTPS")}, {"targets": ()}], ids=str)
def test_haproxy_takes_the_configuration(group: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(written(balancer(**group), tmp_path))
    done = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_who_was_up_is_read_from_the_file_that_was_written() -> None:
    made = balancer(cross_zone=True)
    up = frozenset({("tg_0011", "i-b")})
    assert up_in(health_file(made.groups, A, up)) == up
    assert up_in(health_file(made.groups, A, frozenset())) == frozenset()


KEY = ("tg_0011", "i-a")


@pytest.mark.parametrize(
    ("group", "seen", "now", "expected"),
    [
        ({}, {}, 1001.0, REGISTERING),
        ({}, {"nlb-a": {KEY: DOWN}}, 1001.0, CHECKING),
        ({}, {"nlb-a": {KEY: DOWN}}, 1016.9, CHECKING),
        ({}, {"nlb-a": {KEY: DOWN}}, 1017.0, UNHEALTHY),
        ({}, {"nlb-a": {KEY: UP}}, 1001.0, HEALTHY),
        ({}, {"nlb-b": {KEY: UP}}, 1020.0, REGISTERING),
        ({"cross_zone": True}, {"nlb-a": {KEY: DOWN}, "nlb-b": {KEY: UP}}, 1020.0, HEALTHY),
        ({"check": HealthCheck(enabled=False)}, {"nlb-a": {KEY: UP}}, 1020.0, UNCHECKED),
        ({"targets": (), "draining": (Draining("i-a", 1030.0),)}, {}, 1020.0, DRAINING),
        ({"targets": (), "draining": (Draining("i-a", 1030.0),)}, {}, 1030.0, None),
        ({"targets": (Target("i-a", IPv4Address("10.20.64.4"), 587, "us-east-1c"),)}, {}, 1.0, ZONE_NOT_ENABLED),
    ],
)
def test_a_targets_state_follows_from_what_the_nodes_see(
    group: dict[str, Any], seen: dict[str, dict[tuple[str, str], Sighting]], now: float, expected: TargetState | None
) -> None:
    assert target_states(balancer(**group), seen, now).get((ARN, "i-a")) == expected


def test_one_passed_probe_is_enough_for_an_initial_target_and_not_for_one_that_was_unhealthy() -> None:
    seen = {"nlb-a": {KEY: PASSED}}
    assert first_passes(balancer(), seen, 1001.0) == [("nlb-a", "tg_0011", "i-a")]
    assert first_passes(balancer(), seen, 1100.0) == []
    assert first_passes(balancer(), {"nlb-a": {KEY: DOWN}}, 1001.0) == []


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (UP, UP, {A, B}),
        (UP, DOWN, {A}),
        (DOWN, UP, {B}),
        (DOWN, DOWN, {A, B}),
        (None, UP, {B}),
        (None, None, {A, B}),
    ],
)
def test_the_name_leads_to_healthy_zones_and_to_all_when_there_is_none(
    a: Sighting | None, b: Sighting | None, expected: set[str]
) -> None:
    seen = {}
    if a:
        seen["nlb-a"] = {("tg_0011", "i-a"): a}
    if b:
        seen["nlb-b"] = {("tg_0011", "i-b"): b}
    assert set(answering(balancer(), seen)) == expected


def test_a_zone_without_targets_is_not_named_unless_targets_elsewhere_count() -> None:
    seen = {"nlb-a": {KEY: UP}, "nlb-b": {KEY: UP}}
    assert set(answering(balancer(targets=TARGETS[:1]), seen)) == {A}
    assert set(answering(balancer(targets=TARGETS[:1], cross_zone=True), seen)) == {A, B}


def test_statistics_are_read() -> None:
    text = (
        "# pxname,svname,scur,status,type,check_status,\n"
        "port_587,FRONTEND,1,OPEN,0,,\n"
        "tg_0011,i-a,3,UP,2,L7OK,\n"
        "tg_0011,i-b,0,UP 1/3,2,* L7STS,\n"
        "tg_0011,i-c,0,DOWN,2,INI,\n"
        "tg_0011,i-d,0,no check,2,,\n"
        "tg_0011,BACKEND,3,UP,1,,\n"
    )
    assert parse_statistics(text) == {
        ("tg_0011", "i-a"): Sighting(True, True, 3),
        ("tg_0011", "i-b"): Sighting(True, False, 0),
        ("tg_0011", "i-c"): Sighting(False, None, 0),
        ("tg_0011", "i-d"): Sighting(True, None, 0),
    }


def test_workers_and_sessions_are_read() -> None:
    processes = "#<PID> <type>\n1 master 0\n# workers\n30 worker 0 0d\n# old workers\n20 worker 1 0d\n# programs\n"
    assert [(worker.pid, worker.old) for worker in parse_processes(processes)] == [(30, False), (20, True)]
    sessions = (
        "0x55: proto=tcpv4 src=10.0.0.1:5 fe=port_587 be=tg_0011_open srv=i-a ts=00\n"
        "0x56: proto=tcpv4 src=10.0.0.1:6 fe=port_587 be=tg_0011 srv=i-ab ts=00\n"
    )
    assert parse_sessions(sessions, {("tg_0011", "i-a"), ("tg_0011_open", "i-a")}) == ["0x55"]

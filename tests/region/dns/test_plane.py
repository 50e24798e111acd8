"""The DNS of the box with real NSD and unbound, in a namespace of its own."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from postroad_region.dns import DnsDesired, DnsPlane, HostedZone, ProviderZone, Vpc
from postroad_region.dns.nsd import NsdServer
from postroad_region.dns.vpc_resolver import ResolverServer
from postroad_region.errors import RegionError

pytestmark = pytest.mark.root

ROOT, AUTHORITY, PUBLIC = "198.51.100.1", "198.51.100.53", "198.51.100.8"
MAIL, DNS = "10.20.0.2", "10.21.0.2"


def records(name: str, kind: str, *values: str, ttl: int = 300) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value} for value in values]}


def hosted(address: str = "198.18.113.9", *more: dict[str, Any]) -> HostedZone:
    return HostedZone(
        "Z1",
        "postroad.test.",
        [
            records("postroad.test.", "NS", "ns-2048.awsdns-64.com", "ns-2051.awsdns-67.co.uk", ttl=172800),
            records("mail-a.postroad.test.", "A", address),
            records(r"\052.postroad.test.", "TXT", r'"any \"one\""'),
            records("s._domainkey.postroad.test.", "TXT", '"v=DKIM1; p=' + "A" * 400 + '"'),
            *more,
        ],
    )


def private(zone_id: str, vpc: str, address: str) -> HostedZone:
    return HostedZone(
        zone_id,
        "postroad.internal.",
        [
            records("mta-a.postroad.internal.", "A", address, ttl=60),
            records("alias.postroad.internal.", "CNAME", "mta-a.postroad.internal", ttl=60),
            records("*.any.postroad.internal.", "A", "10.20.1.9", ttl=60),
        ],
        private=True,
        vpc_ids=(vpc,),
    )


DESIRED = DnsDesired(
    hosted_zones=(hosted(), private("Z2", "vpc-mail", "10.20.1.5"), private("Z3", "vpc-dns", "10.21.1.5")),
    provider_zones=(
        ProviderZone("gmail.test", "198.51.100.54", ("@ 300 IN MX 5 mx", "mx 300 IN A 198.51.100.25")),
        ProviderZone("bogus.test", "198.51.100.54", ("@ 300 IN A 198.51.100.60",), "bogus"),
        ProviderZone("plain.test", "198.51.100.55", ("@ 300 IN A 198.51.100.61",), "unsigned"),
    ),
    reverse={"198.18.113.9": "mail-a.postroad.test", "198.51.100.25": "mx.gmail.test"},
    vpcs=(Vpc("vpc-mail", MAIL, ("10.20.0.0/16",)), Vpc("vpc-dns", DNS, ("10.21.0.0/16",))),
    service_names={"s3.us-east-1.amazonaws.com": "198.51.100.200"},
)


class Box:
    """A plane in one namespace, which is both internet and fabric."""

    def __init__(self, namespace: Any, folder: Path) -> None:
        self.namespace = namespace
        self.folder = folder
        self.plane = self.heir()

    def heir(self) -> DnsPlane:
        """The plane of a daemon that was started anew."""
        return DnsPlane(self.folder / "dns", self.folder / "run", self.namespace.prefix, self.namespace.prefix)

    def answers(self, server: str, name: str, kind: str = "A") -> list[str]:
        source = server if server.startswith("10.") else "198.51.100.99"
        asked = ["+timeout=2", "+tries=1", "-b", source, f"@{server}", name, kind]
        text = self.namespace.run("dig", "+short", *asked, check=False)
        return sorted(text.splitlines())

    def header(self, server: str, name: str, kind: str = "A", *options: str) -> tuple[str, set[str]]:
        """Response code and flags."""
        source = server if server.startswith("10.") else "198.51.100.99"
        command = [
            "dig",
            "+noall",
            "+comments",
            "+timeout=2",
            "+tries=1",
            *options,
            "-b",
            source,
            f"@{server}",
            name,
            kind,
        ]
        lines = self.namespace.run(*command).splitlines()
        code = next(line.split("status: ")[1].split(",")[0] for line in lines if "status: " in line)
        flags = next(line.split("flags: ")[1].split(";")[0] for line in lines if line.startswith(";; flags: "))
        return code, set(flags.split())


@pytest.fixture(scope="module")
def box(make_namespace: Callable[..., Any], folder: Path) -> Iterator[Box]:
    providers = ("198.51.100.54", "198.51.100.55")
    made = Box(make_namespace(ROOT, AUTHORITY, PUBLIC, MAIL, DNS, "198.51.100.99", *providers), folder)
    try:
        yield made
    finally:
        made.plane.stop()


@pytest.fixture(autouse=True)
def as_desired(box: Box) -> None:
    status = box.plane.apply(DESIRED)
    assert status.problems == ()


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.02)


def test_all_servers_run(box: Box) -> None:
    status = box.plane.status()
    assert status.processes == dict.fromkeys(
        ["nsd-root", "nsd-authority", "public-resolver", "resolver-vpc-dns", "resolver-vpc-mail"], True
    )
    assert status.zones == {"nsd-root": 6, "nsd-authority": 6}


@pytest.mark.parametrize("server", [MAIL, DNS, PUBLIC])
def test_a_resolver_validates_what_is_signed(box: Box, server: str) -> None:
    assert box.answers(server, "gmail.test", "MX") == ["5 mx.gmail.test."]
    code, flags = box.header(server, "gmail.test", "MX")
    assert code == "NOERROR"
    assert "ad" in flags


def test_that_a_name_does_not_exist_is_proven(box: Box) -> None:
    for name in ("nobody.gmail.test", "nothing.test", "example.com", "org"):
        code, flags = box.header(MAIL, name)
        assert (name, code, "ad" in flags) == (name, "NXDOMAIN", True)


def test_what_is_bogus_fails_unless_checking_is_off(box: Box) -> None:
    assert box.header(MAIL, "bogus.test")[0] == "SERVFAIL"
    assert box.header(MAIL, "bogus.test", "A", "+cd")[0] == "NOERROR"


@pytest.mark.parametrize("name", ["mail-a.postroad.test", "plain.test"])
def test_unsigned_zones_are_answered_without_proof(box: Box, name: str) -> None:
    code, flags = box.header(MAIL, name)
    assert code == "NOERROR"
    assert "ad" not in flags


def test_a_hosted_zone_is_answered_through_the_tree(box: Box) -> None:
    assert box.answers(MAIL, "mail-a.postroad.test") == ["198.18.113.9"]
    assert box.answers(MAIL, "whatever.postroad.test", "TXT") == ['"any \\"one\\""']
    (key,) = box.answers(MAIL, "s._domainkey.postroad.test", "TXT")
    assert key.replace('" "', "") == '"v=DKIM1; p=' + "A" * 400 + '"'


def test_the_root_server_refers_and_answers_nothing_of_the_zones_below(box: Box) -> None:
    assert box.answers(ROOT, "mail-a.postroad.test") == []
    _, flags = box.header(ROOT, "mail-a.postroad.test", "A", "+norec")
    assert "aa" not in flags


def test_route_53_s_name_servers_have_addresses(box: Box) -> None:
    assert box.answers(MAIL, "ns-2051.awsdns-67.co.uk") == [AUTHORITY]


def test_addresses_have_names(box: Box) -> None:
    assert box.answers(MAIL, "9.113.18.198.in-addr.arpa", "PTR") == ["mail-a.postroad.test."]
    assert box.answers(MAIL, "25.100.51.198.in-addr.arpa", "PTR") == ["mx.gmail.test."]


def test_a_private_zone_is_its_vpc_s_alone(box: Box) -> None:
    assert box.answers(MAIL, "mta-a.postroad.internal") == ["10.20.1.5"]
    assert box.answers(DNS, "mta-a.postroad.internal") == ["10.21.1.5"]
    assert box.header(PUBLIC, "mta-a.postroad.internal")[0] == "NXDOMAIN"


def test_a_private_zone_has_aliases_and_wildcards(box: Box) -> None:
    assert box.answers(MAIL, "alias.postroad.internal") == ["10.20.1.5", "mta-a.postroad.internal."]
    assert box.answers(MAIL, "x.any.postroad.internal") == ["10.20.1.9"]
    assert box.header(MAIL, "nobody.postroad.internal")[0] == "NXDOMAIN"


def test_aws_s_endpoints_have_the_address_given(box: Box) -> None:
    assert box.answers(MAIL, "artifacts.s3.us-east-1.amazonaws.com") == ["198.51.100.200"]
    assert box.answers(MAIL, "artifacts.s3.us-east-1.amazonaws.com", "AAAA") == []


def test_a_vpc_s_resolver_answers_its_vpc_alone(box: Box) -> None:
    code = box.namespace.run("dig", "+timeout=2", "+tries=1", "-b", "198.51.100.99", f"@{MAIL}", "gmail.test")
    assert "status: REFUSED" in code


def test_a_changed_record_is_served_within_a_second(box: Box) -> None:
    changed = replace(DESIRED, hosted_zones=(hosted("198.18.113.77"), *DESIRED.hosted_zones[1:]))
    box.plane.apply(changed)
    wait_until(lambda: box.answers(AUTHORITY, "mail-a.postroad.test") == ["198.18.113.77"], 1)


def test_a_changed_private_record_is_not_hidden_by_the_cache(box: Box) -> None:
    assert box.answers(MAIL, "mta-a.postroad.internal") == ["10.20.1.5"]
    zones = (DESIRED.hosted_zones[0], private("Z2", "vpc-mail", "10.20.1.6"), DESIRED.hosted_zones[2])
    box.plane.apply(replace(DESIRED, hosted_zones=zones))
    wait_until(lambda: box.answers(MAIL, "mta-a.postroad.internal") == ["10.20.1.6"], 1)


def test_zones_come_and_go(box: Box) -> None:
    extra = HostedZone("Z9", "extra.test.", [records("www.extra.test.", "A", "198.18.113.50")])
    box.plane.apply(replace(DESIRED, hosted_zones=(*DESIRED.hosted_zones, extra)))
    wait_until(lambda: box.answers(PUBLIC, "www.extra.test") == ["198.18.113.50"], 8)
    box.plane.apply(DESIRED)
    wait_until(lambda: box.header(AUTHORITY, "www.extra.test", "A", "+norec")[0] == "REFUSED", 1)


def test_a_vpc_s_resolver_goes_with_it(box: Box) -> None:
    status = box.plane.apply(replace(DESIRED, vpcs=DESIRED.vpcs[:1]))
    assert "resolver-vpc-dns" not in status.processes


def test_a_bad_record_is_reported_and_keeps_nothing_back(box: Box) -> None:
    bad = hosted("198.18.113.9", records("bad.postroad.test.", "A", "nonsense"))
    twin = HostedZone("Z8", "postroad.test.", [])
    taken = HostedZone("Z7", "gmail.test.", [])
    zones = (bad, twin, taken, HostedZone("Z6", "test.", []), *DESIRED.hosted_zones[1:], *unusable())
    status = box.plane.apply(replace(DESIRED, hosted_zones=zones))
    assert sorted(problem.record for problem in status.problems) == [
        "bad.postroad.test. A",
        "hosted zone Z4",
        "hosted zone Z5",
        "hosted zone Z6",
        "hosted zone Z7",
        "hosted zone Z8",
    ]
    assert box.answers(AUTHORITY, "mail-a.postroad.test") == ["198.18.113.9"]


def unusable() -> list[HostedZone]:
    """Private zones that a VPC can't have: a second one of a name, and one with an impossible name."""
    second = HostedZone("Z4", "postroad.internal.", [], private=True, vpc_ids=("vpc-mail",))
    return [second, HostedZone("Z5", r"a\042b.internal.", [], private=True, vpc_ids=("vpc-mail", "vpc-dns"))]


def test_a_configuration_that_unbound_refuses_leaves_the_running_one_as_it_is(box: Box) -> None:
    broken = replace(DESIRED.vpcs[0], cidrs=("nonsense",))
    for _ in range(2):
        with pytest.raises(RegionError, match="unbound-checkconf"):
            box.plane.apply(replace(DESIRED, vpcs=(broken, DESIRED.vpcs[1])))
    assert box.answers(MAIL, "gmail.test", "MX") == ["5 mx.gmail.test."]


def test_applying_again_touches_nothing(box: Box) -> None:
    def state() -> dict[str, int]:
        return {
            str(file): file.stat().st_mtime_ns
            for part in ("dns", "run")
            for file in (box.folder / part).rglob("*")
            if file.is_file() and file.suffix != ".log"
        }

    before, processes = state(), [server.process.running() for server in servers(box)]
    assert box.heir().apply(DESIRED).problems == ()
    assert state() == before
    assert [server.process.running() for server in servers(box)] == processes


def servers(box: Box) -> list[NsdServer | ResolverServer]:
    return [box.plane._root, box.plane._authority, box.plane._public, box.plane._resolver("resolver-vpc-mail")]


@pytest.mark.parametrize("index", range(4))
def test_a_killed_server_is_brought_back(box: Box, index: int) -> None:
    server = servers(box)[index]
    server.process.signal(signal.SIGKILL)
    wait_until(lambda: server.process.running() is None, 10)
    assert not box.plane.status().processes[server.process.name]
    box.plane.apply(DESIRED)
    assert all(box.plane.status().processes.values())
    wait_until(lambda: box.answers(MAIL, "gmail.test", "MX") == ["5 mx.gmail.test."], 5)


@pytest.mark.parametrize("role", ["nsd: xfrd", "nsd: main", "nsd: server 1"])
def test_nsd_serves_again_whichever_of_its_processes_is_killed(box: Box, role: str) -> None:
    (victim,) = [
        each.pid
        for each in box.plane._authority.process._marked()
        if Path(f"/proc/{each.pid}/comm").read_text().strip() == role
    ]
    os.kill(victim, signal.SIGKILL)

    def served() -> bool:
        box.plane.apply(DESIRED)
        return box.answers(AUTHORITY, "mail-a.postroad.test") == ["198.18.113.9"]

    wait_until(lambda: not Path(f"/proc/{victim}/fd/0").exists(), 10)
    wait_until(served, 10)


def test_a_daemon_killed_before_it_reloaded_is_made_good_for(box: Box) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    changed = replace(DESIRED, hosted_zones=(hosted("198.18.113.78"), *DESIRED.hosted_zones[1:]))
    dying = box.heir()
    dying._authority._reload = die  # type: ignore[method-assign]
    with contextlib.suppress(Killed):
        dying.apply(changed)
    assert box.answers(AUTHORITY, "mail-a.postroad.test") != ["198.18.113.78"]
    box.heir().apply(changed)
    wait_until(lambda: box.answers(AUTHORITY, "mail-a.postroad.test") == ["198.18.113.78"], 1)


def test_hints_and_anchor_let_another_resolver_validate(box: Box) -> None:
    hints = (box.folder / "dns/root.hints").read_text()
    assert hints == ". 3600000 NS a.root-servers.test.\na.root-servers.test. 3600000 A 198.51.100.1\n"
    config = box.folder / "host.conf"
    config.write_text(
        f'server:\n chroot: ""\n username: ""\n root-hints: "{box.folder}/dns/root.hints"\n'
        f' trust-anchor-file: "{box.folder}/dns/root.key"\n local-zone: "test." nodefault\n'
    )
    answer = box.namespace.run("unbound-host", "-v", "-C", str(config), "-t", "MX", "gmail.test")
    assert "gmail.test mail is handled by 5 mx.gmail.test. (secure)" in answer


def test_stop_leaves_no_process(box: Box) -> None:
    before = [server.process for server in servers(box)]
    box.heir().stop()
    assert [process.running() for process in before] == [None] * 4
    assert [process._marked() for process in before] == [[]] * 4
    assert sorted(file.suffix for file in (box.folder / "run").iterdir() if file.suffix != ".lock") == []

"""What NSD and unbound are told."""

import subprocess
from pathlib import Path

import dns.name
from postroad_region.dns.nsd import server_config, zones_config
from postroad_region.dns.vpc_resolver import ResolverSettings, resolver_config

ANCHOR = (
    ". 3600 IN DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="
)


def settings(folder: Path) -> ResolverSettings:
    return ResolverSettings(
        address="10.20.0.2",
        clients=["10.20.0.0/16"],
        root_hints=folder / "root.hints",
        trust_anchor=ANCHOR,
        outgoing="198.18.113.1",
        private_zones={dns.name.from_text("postroad.internal."): folder / "postroad.internal.zone"},
        service_names={"amazonaws.com": "198.51.100.200"},
    )


def test_nsd_takes_its_configuration(tmp_path: Path) -> None:
    file = tmp_path / "nsd.conf"
    server = server_config(addresses=["198.51.100.1"], folder=tmp_path, control_socket=tmp_path / "control")
    file.write_text(server + zones_config({".": "root.zone", "postroad.test.": "postroad.test.zone"}))
    (tmp_path / "root.zone").touch()
    subprocess.run(["nsd-checkconf", file], check=True)


def test_unbound_takes_its_configuration(tmp_path: Path) -> None:
    for name in ("root.hints", "postroad.internal.zone"):
        (tmp_path / name).touch()
    file = tmp_path / "unbound.conf"
    file.write_text(resolver_config(settings(tmp_path), control_socket=tmp_path / "control"))
    subprocess.run(["unbound-checkconf", file], check=True)


def test_a_resolver_knows_the_box_s_root_and_no_other(tmp_path: Path) -> None:
    config = resolver_config(settings(tmp_path), control_socket=tmp_path / "control")
    assert [line.strip() for line in config.splitlines() if "anchor" in line or "root-hints" in line] == [
        f'root-hints: "{tmp_path}/root.hints"',
        f'trust-anchor: "{ANCHOR}"',
        "trust-anchor-signaling: no",
    ]


def test_names_that_unbound_denies_by_itself_are_given_free(tmp_path: Path) -> None:
    config = resolver_config(settings(tmp_path), control_socket=tmp_path / "control")
    for name in ("test.", "100.51.198.in-addr.arpa.", "113.18.198.in-addr.arpa.", "postroad.internal."):
        assert f'local-zone: "{name}" nodefault' in config

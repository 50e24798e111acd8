"""What the networks of the region let through, tried with real packets from real hosts."""

import json
import subprocess
from typing import Any

import pytest
from postroad_ops import hosts
from postroad_region import addresses
from postroad_region.hypervisor.hosts import PODMAN

CONNECT = (
    "import socket, sys; "
    "socket.create_connection((sys.argv[1], int(sys.argv[2])), 2, (sys.argv[3], 0) if sys.argv[3:] else None).close()"
)


@pytest.fixture(scope="module")
def tiers() -> dict[str, list[hosts.Host]]:
    found: dict[str, list[hosts.Host]] = {}
    for host in hosts.of_stack("local", ask=False):
        found.setdefault(host.tier, []).append(host)
    return found


def on(host: hosts.Host, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PODMAN, "exec", host.instance, *command], capture_output=True, text=True, check=False)


def connects(host: hosts.Host, address: str, port: int, *, source: str = "") -> bool:
    return on(host, "python3", "-c", CONNECT, address, str(port), *([source] if source else [])).returncode == 0


def sending_addresses(host: hosts.Host) -> dict[str, str]:
    """The Elastic IPs of a host's interfaces, by private address."""
    found = hosts.client("ec2", "local").describe_addresses(
        Filters=[{"Name": "instance-id", "Values": [host.instance]}]
    )["Addresses"]
    return {address["PrivateIpAddress"]: address["PublicIp"] for address in found}


def from_the_internet(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ip", "netns", "exec", addresses.INTERNET, *command], capture_output=True, text=True, check=False
    )


def test_an_mta_reaches_proxies_and_no_provider(tiers: dict[str, list[hosts.Host]]) -> None:
    mta = tiers["mta"][0]
    for proxy in tiers["proxy"]:
        assert connects(mta, proxy.address, 1080), proxy.name
        assert not connects(mta, proxy.address, 22), proxy.name
    assert not connects(mta, "198.51.100.25", 25)


def test_a_proxy_reaches_providers_on_25_alone(tiers: dict[str, list[hosts.Host]]) -> None:
    proxy = tiers["proxy"][0]
    sources = sending_addresses(proxy)
    assert len(sources) > 1
    for source in sources:
        assert connects(proxy, "198.51.100.25", 25, source=source), source
        assert not connects(proxy, "198.51.100.25", 80, source=source), source
    # Its own address is seen nowhere on the internet.
    assert not connects(proxy, "198.51.100.25", 25)
    assert not connects(proxy, tiers["mta"][0].address, 587)


def test_nobody_on_the_internet_reaches_a_resolver_or_a_proxy(tiers: dict[str, list[hosts.Host]]) -> None:
    for resolver in tiers["resolver"]:
        said = from_the_internet("dig", f"@{resolver.public}", "+time=1", "+tries=1", "gmail.test", "MX").stdout
        assert "status:" not in said, resolver.name
    for proxy in tiers["proxy"]:
        for public in sending_addresses(proxy).values():
            assert from_the_internet("python3", "-c", CONNECT, public, "1080").returncode != 0


def test_metadata_answers_with_a_token_only(tiers: dict[str, list[hosts.Host]]) -> None:
    url = "http://169.254.169.254/latest"
    for host in (tiers["mta"][0], tiers["resolver"][0]):
        bare = on(host, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/meta-data/instance-id")
        assert bare.stdout == "401"
        token = on(
            host, "curl", "-s", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", f"{url}/api/token"
        )
        with_token = ["curl", "-s", "-H", f"X-aws-ec2-metadata-token: {token.stdout}"]
        assert on(host, *with_token, f"{url}/meta-data/instance-id").stdout == host.instance
        document: dict[str, Any] = json.loads(on(host, *with_token, f"{url}/dynamic/instance-identity/document").stdout)
        assert document["privateIp"] == host.address


def test_a_token_of_one_host_is_worth_nothing_on_another(tiers: dict[str, list[hosts.Host]]) -> None:
    url = "http://169.254.169.254/latest"
    one, other = tiers["mta"][:2]
    token = on(
        one, "curl", "-s", "-X", "PUT", "-H", "X-aws-ec2-metadata-token-ttl-seconds: 60", f"{url}/api/token"
    ).stdout
    answer = on(
        other,
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        f"X-aws-ec2-metadata-token: {token}",
        f"{url}/",
    )
    assert answer.stdout == "401"


def test_hosts_install_from_the_bucket_and_reach_nothing_else(tiers: dict[str, list[hosts.Host]]) -> None:
    host = tiers["mta"][0]
    bucket = "postroad-local-artifacts.s3.us-east-1.amazonaws.com"
    listing = on(
        host, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{bucket}/apt/dists/bookworm/InRelease"
    )
    assert listing.stdout == "200"
    update = on(host, "apt-get", "update", "-qq", "--error-on=any")
    assert update.returncode == 0, update.stderr
    assert "jq" in on(host, "apt-cache", "policy", "jq").stdout


def test_no_host_can_write_to_the_bucket(tiers: dict[str, list[hosts.Host]]) -> None:
    bucket = "postroad-local-artifacts.s3.us-east-1.amazonaws.com"
    for host in (tiers["mta"][0], tiers["proxy"][0]):
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT", "--data", "x"]
        assert on(host, *command, f"http://{bucket}/releases/evil.tar.gz").stdout == "403", host.name

"""Namespaces, links and addresses of the fabric, made to match what should be.

Every interface is a veth pair between the fabric and the instance's own namespace, routed by its addresses alone: the
fabric answers ARP for all of the subnet (proxy_arp), so each packet passes the fabric's rules, inside a subnet too,
as in a VPC. Neither namespace has a way out of the machine: the only link to the machine is the controller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from postroad_region import addresses
from postroad_region.command import run, run_json, succeeds
from postroad_region.fabric.model import Fabric, Interface
from postroad_region.fabric.security import INTERNET, UPLINK

# Holds the addresses that the fabric itself answers on.
ROUTER = "lo"
WAN = "wan0"
# How long a security group remembers an idle flow, in seconds (EC2's defaults).
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#connection-tracking-timeouts
TRACKING_TIMEOUTS = {
    "net.netfilter.nf_conntrack_tcp_timeout_established": "432000",
    "net.netfilter.nf_conntrack_udp_timeout": "30",
    "net.netfilter.nf_conntrack_udp_timeout_stream": "180",
}
INSTANCE = re.compile(r"i-[0-9a-f]{17}")
LINK = re.compile(r"v[0-9a-f]{13}")


def namespaces() -> set[str]:
    """Names of the named network namespaces of this machine."""
    listed: list[dict[str, Any]] = run_json(["ip", "-j", "netns", "list"])
    return {str(entry["name"]) for entry in listed}


def instance_namespaces() -> set[str]:
    """Those of the namespaces that are an instance's."""
    return {name for name in namespaces() if INSTANCE.fullmatch(name)}


def ensure_backbone(internet_addresses: Iterable[str]) -> None:
    """The fabric, the internet and the two links: to the controller and between them."""
    existing = namespaces()
    for name in (addresses.FABRIC, addresses.INTERNET):
        if name not in existing:
            run(["ip", "netns", "add", name])
    fabric, internet = addresses.FABRIC, addresses.INTERNET
    if not succeeds(["ip", "-n", fabric, "link", "show", UPLINK]):
        run(["ip", "link", "add", addresses.UPLINK_HOST, "type", "veth", "peer", "name", UPLINK, "netns", fabric])
    if not succeeds(["ip", "-n", fabric, "link", "show", INTERNET]):
        run(["ip", "-n", fabric, "link", "add", INTERNET, "type", "veth", "peer", "name", WAN, "netns", internet])
    _batch(None, [
        f"address replace {addresses.CONTROLLER}/32 dev {addresses.UPLINK_HOST}",
        f"link set {addresses.UPLINK_HOST} up",
    ])  # fmt: skip
    _batch(fabric, [
        "link set lo up",
        f"link set {UPLINK} up",
        f"link set {INTERNET} up",
        f"address replace {addresses.FABRIC_PUBLIC}/32 dev {INTERNET}",
        f"address replace {addresses.METADATA}/32 dev {ROUTER}",
        f"address replace {addresses.SERVICES}/32 dev {ROUTER}",
        f"route replace {addresses.CONTROLLER}/32 dev {UPLINK}",
        f"route replace {addresses.INTERNET_RANGE} via {addresses.INTERNET_GATEWAY} dev {INTERNET} onlink "
        f"src {addresses.FABRIC_PUBLIC}",
    ])  # fmt: skip
    _batch(internet, [
        "link set lo up",
        f"link set {WAN} up",
        f"address replace {addresses.INTERNET_GATEWAY}/32 dev {WAN}",
        *(f"address replace {address}/32 dev {WAN}" for address in internet_addresses),
        f"route replace {addresses.PUBLIC_RANGE} via {addresses.FABRIC_PUBLIC} dev {WAN} onlink",
    ])  # fmt: skip
    _sysctl(fabric, {
        "net.ipv4.ip_forward": "1",
        f"net.ipv4.conf.{UPLINK}.proxy_arp": "1",
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.conf.default.rp_filter": "0",
        # The router's own addresses are many; answer ARP on each link for all of them.
        "net.ipv4.conf.all.arp_ignore": "0",
        **TRACKING_TIMEOUTS,
    })  # fmt: skip
    _batch(None, [f"route replace {addresses.VPC_RANGE} dev {addresses.UPLINK_HOST} src {addresses.CONTROLLER}"])


def ensure_routers(fabric: Fabric) -> None:
    """The addresses that the fabric answers on: each subnet's router and each VPC's resolver, no others."""
    wanted = {str(addresses.gateway_of(subnet.network)) for subnet in fabric.subnets}
    wanted |= {str(addresses.resolver_of(network)) for _, network in fabric.vpcs}
    wanted |= {str(addresses.METADATA), str(addresses.SERVICES)}
    present = _addresses_of(addresses.FABRIC, ROUTER) - {"127.0.0.1"}
    _batch(addresses.FABRIC, [
        *(f"address add {address}/32 dev {ROUTER}" for address in sorted(wanted - present)),
        *(f"address del {address}/32 dev {ROUTER}" for address in sorted(present - wanted)),
    ])  # fmt: skip


def ensure_interface(interface: Interface) -> None:
    """The interface's link, its routes in the fabric, and what an instance has configured when it boots."""
    instance, link, device = interface.instance_id, interface.link, interface.device
    if instance not in namespaces():
        run(["ip", "netns", "add", instance])
    if _mac_of(instance, device) != interface.mac:
        # What has the device's name belongs to an interface that was there before, what has the link's name to an
        # instance that the interface was attached to before; either end takes the other with it.
        for namespace, name in ((instance, device), (addresses.FABRIC, link)):
            if succeeds(["ip", "-n", namespace, "link", "show", name]):
                run(["ip", "-n", namespace, "link", "del", name])
        # With its hardware address from the first instant: a running host knows the interface by it.
        ends = [link, "type", "veth", "peer", "name", device, "address", interface.mac, "netns", instance]
        run(["ip", "-n", addresses.FABRIC, "link", "add", *ends])
    run(["ip", "-n", instance, "link", "set", "lo", "up"])
    if interface.index == 0:
        _configure(interface)
    _batch(addresses.FABRIC, [
        f"link set {link} up",
        *(f"route replace {address}/32 dev {link}" for address in interface.addresses),
    ])  # fmt: skip
    # proxy_arp_pvlan: answer for addresses that lie behind the same link too; delay 0: at once.
    _sysctl(addresses.FABRIC, {
        f"net.ipv4.conf.{link}.proxy_arp": "1",
        f"net.ipv4.conf.{link}.proxy_arp_pvlan": "1",
        f"net.ipv4.neigh.{link}.proxy_delay": "0",
    })  # fmt: skip


def _configure(interface: Interface) -> None:
    """The primary address of an instance's first interface, as DHCP gives it at boot; others are the host's to plumb.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-secondary-ip-addresses.html
    """
    instance, device = interface.instance_id, interface.device
    gateway = addresses.gateway_of(interface.subnet.network)
    length = interface.subnet.network.prefixlen
    wanted = {str(address) for address in interface.addresses[:1]}
    present = _addresses_of(instance, device)
    _batch(instance, [
        f"link set {device} up",
        *(f"address replace {address}/{length} dev {device}" for address in sorted(wanted - present)),
        f"route replace default via {gateway} dev {device}",
    ])  # fmt: skip


def remove_links_but(wanted: Iterable[str]) -> None:
    """Drop the links of interfaces that no running instance and no balancer has."""
    kept = set(wanted)
    listed: list[dict[str, Any]] = run_json(["ip", "-n", addresses.FABRIC, "-j", "link", "show", "type", "veth"])
    names = {str(link["ifname"]) for link in listed}
    leftover = sorted(name for name in names - kept if LINK.fullmatch(name))
    _batch(addresses.FABRIC, [f"link del {name}" for name in leftover])


def remove_instance(instance_id: str) -> None:
    """The namespace of an instance with all its links."""
    if instance_id in namespaces():
        run(["ip", "netns", "del", instance_id])


def load_rules(text: str) -> None:
    """Replace the fabric's rule set in one transaction."""
    run(["ip", "netns", "exec", addresses.FABRIC, "nft", "-f", "-"], stdin=text)


def remove_backbone() -> None:
    """The namespaces and the controller's link; what was in them goes with them."""
    existing = namespaces()
    for name in (addresses.FABRIC, addresses.INTERNET):
        if name in existing:
            run(["ip", "netns", "del", name])
    if succeeds(["ip", "link", "show", addresses.UPLINK_HOST]):
        run(["ip", "link", "del", addresses.UPLINK_HOST])


def _mac_of(namespace: str, device: str) -> str:
    """The hardware address of a device; empty where there is none."""
    if not succeeds(["ip", "-n", namespace, "link", "show", device]):
        return ""
    links: list[dict[str, Any]] = run_json(["ip", "-n", namespace, "-j", "link", "show", "dev", device])
    return str(links[0].get("address", ""))


def _addresses_of(namespace: str, device: str) -> set[str]:
    links: list[dict[str, Any]] = run_json(["ip", "-n", namespace, "-j", "-4", "address", "show", "dev", device])
    return {str(info["local"]) for link in links for info in link.get("addr_info", [])}


def _batch(namespace: str | None, lines: list[str]) -> None:
    if lines:
        where = ["-n", namespace] if namespace else []
        run(["ip", *where, "-batch", "-"], stdin="\n".join(lines) + "\n")


def _sysctl(namespace: str, values: dict[str, str]) -> None:
    assignments = [f"{key}={value}" for key, value in values.items()]
    run(["ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *assignments])

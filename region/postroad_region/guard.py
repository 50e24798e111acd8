"""The guard: what carries an address of the box leaves the machine by no way but the region's own link.

Raised before anything that can send is started, and kept up until the region is gone. Every sender asks `check` first.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from postroad_region import addresses
from postroad_region.command import run, run_json, succeeds
from postroad_region.errors import RegionError

TABLE = "postroad_guard"


def ruleset() -> str:
    """The guard as an nftables script that replaces the table as a whole."""
    ranges = ", ".join(str(network) for network in addresses.BOX_RANGES)
    uplink = addresses.UPLINK_HOST
    return f"""\
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    set box {{ type ipv4_addr; flags interval; elements = {{ {ranges} }} }}

    chain output {{
        type filter hook output priority -300; policy accept;
        oifname {{ "lo", "{uplink}" }} accept
        ip daddr @box counter reject with icmp type admin-prohibited
        ip saddr @box counter drop
    }}

    # The machine never routes for the box: nothing enters or leaves it through the machine's own forwarding.
    chain forward {{
        type filter hook forward priority -300; policy accept;
        iifname "{uplink}" counter drop
        oifname "{uplink}" counter drop
        ip saddr @box counter drop
        ip daddr @box counter drop
    }}

    # Hosts of the box answer the operator; they reach nothing that listens on the machine.
    chain input {{
        type filter hook input priority -300; policy accept;
        iifname "{uplink}" ct state established,related accept
        iifname "{uplink}" ip protocol icmp accept
        iifname "{uplink}" counter drop
    }}
}}
"""


def raise_guard() -> None:
    """Load the guard; loading it again changes nothing.

    Raises:
        RegionError: nftables refuses (not root, no kernel support).
    """
    run(["nft", "-f", "-"], stdin=ruleset())


def lower_guard() -> None:
    """Remove the guard; only after all that could send is gone."""
    if is_up():
        run(["nft", "delete", "table", "inet", TABLE])


def is_up() -> bool:
    """Whether the guard's table is loaded."""
    return succeeds(["nft", "list", "table", "inet", TABLE])


def check() -> None:
    """Refuse to go on without the guard.

    Raises:
        RegionError: it isn't up.
    """
    if not is_up():
        raise RegionError("the guard is down, so nothing may send", remedy="run: make up")


def conflicting_network() -> str | None:
    """What of this machine's own networks overlaps the box, as `network on interface`; nothing in most cases."""
    routes: list[dict[str, Any]] = run_json(["ip", "-j", "-4", "route", "show", "table", "all"])
    for route in routes:
        destination, device = str(route.get("dst", "")), str(route.get("dev", ""))
        if destination == "default" or device in {addresses.UPLINK_HOST, "lo"} or not destination[:1].isdigit():
            continue
        network = IPv4Network(destination, strict=False)
        if any(network.overlaps(own) for own in addresses.BOX_RANGES):
            return f"{network} on {device}"
    return None

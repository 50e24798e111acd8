import ipaddress

import pytest
from postroad.proxy.access import AccessRules, Destination
from postroad.wire.socks5 import IpAddress


def rules(*destinations: str, own: str = "10.9.9.9:1080", local: str = "10.9.9.9") -> AccessRules:
    host, _, port = own.rpartition(":")

    def is_local(address: IpAddress) -> bool:
        return address.is_loopback or str(address) == local

    return AccessRules(
        clients=(ipaddress.ip_network("10.20.0.0/16"),),
        sources=(ipaddress.ip_network("10.20.16.7/32"),),
        destinations=tuple(Destination.parse(entry) for entry in destinations or ("0.0.0.0/0:25", "[::/0]:25")),
        own=frozenset({(ipaddress.ip_address(host), int(port))}),
        is_local=is_local,
    )


@pytest.mark.parametrize(
    ("entries", "address", "port", "allowed"),
    [
        ((), "198.51.100.25", 25, True),
        ((), "8.8.8.8", 25, True),
        ((), "2001:db8::25", 25, True),
        ((), "8.8.8.8", 80, False),
        ((), "8.8.8.8", 0, False),
        ((), "10.0.0.1", 25, False),
        ((), "172.31.0.1", 25, False),
        ((), "192.168.1.1", 25, False),
        ((), "100.64.0.1", 25, False),
        ((), "127.0.0.1", 25, False),
        ((), "0.0.0.0", 25, False),
        ((), "169.254.169.254", 25, False),
        ((), "169.254.1.1", 25, False),
        ((), "224.0.0.1", 25, False),
        ((), "255.255.255.255", 25, False),
        ((), "::1", 25, False),
        ((), "::", 25, False),
        ((), "fe80::1", 25, False),
        ((), "fd00::1", 25, False),
        ((), "::ffff:10.0.0.1", 25, False),
        ((), "::ffff:169.254.169.254", 25, False),
        ((), "64:ff9b::a00:1", 25, False),
        ((), "2002:a00:1::1", 25, False),
        (("127.0.0.0/8:1024-65535",), "127.0.0.1", 2626, True),
        (("127.0.0.0/8:1024-65535",), "127.0.0.1", 25, False),
        (("127.0.0.0/8:1024-65535",), "10.0.0.1", 2626, False),
        (("0.0.0.0/0:25", "10.1.0.0/16:25"), "10.1.2.3", 25, True),
        (("0.0.0.0/0:25", "10.1.0.0/16:25"), "10.2.2.3", 25, False),
        (("8.0.0.0/6:25",), "10.1.2.3", 25, False),
        (("169.254.0.0/16:80",), "169.254.169.254", 80, False),
        (("169.254.0.0/16:80",), "169.254.7.7", 80, True),
        (("169.254.169.254/32:80",), "169.254.169.254", 80, True),
    ],
)
def test_destinations(entries: tuple[str, ...], address: str, port: int, allowed: bool) -> None:
    reason = rules(*entries).refuse_destination(ipaddress.ip_address(address), port)
    assert (reason is None) is allowed, reason


@pytest.mark.parametrize(
    ("own", "address", "port", "allowed"),
    [
        ("10.9.9.9:1080", "10.9.9.9", 1080, False),
        ("10.9.9.9:1080", "10.9.9.9", 1081, True),
        ("10.9.9.9:1080", "10.9.9.8", 1080, True),
        ("0.0.0.0:1080", "10.9.9.9", 1080, False),
        ("0.0.0.0:1080", "127.8.8.8", 1080, False),
        ("0.0.0.0:1080", "10.9.9.8", 1080, True),
        (":::1080", "::ffff:127.0.0.1", 1080, False),
    ],
)
def test_the_proxy_is_never_a_way_to_itself(own: str, address: str, port: int, allowed: bool) -> None:
    access = rules("10.0.0.0/8:1-65535", "127.0.0.0/8:1-65535", own=own)
    reason = access.refuse_destination(ipaddress.ip_address(address), port)
    assert (reason is None) is allowed, reason


def test_clients_and_sources_are_refused_by_default() -> None:
    access = rules()
    assert access.refuse_client(ipaddress.ip_address("10.20.3.4")) is None
    assert access.refuse_client(ipaddress.ip_address("::ffff:10.20.3.4")) is None
    assert access.refuse_client(ipaddress.ip_address("10.21.3.4")) is not None
    assert access.refuse_source(ipaddress.ip_address("10.20.16.7")) is None
    assert access.refuse_source(ipaddress.ip_address("10.20.16.8")) is not None
    assert access.refuse_source(ipaddress.ip_address("::1")) is not None


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8", "10.0.0.0/8:0", "10.0.0.0/8:9-8", "10.0.0.0/8:70000", "x:25", "10.0.0.1/8:25"]
)
def test_malformed_entries_are_errors(text: str) -> None:
    with pytest.raises(ValueError):
        Destination.parse(text)

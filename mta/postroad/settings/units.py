"""Values with units, as people write them: durations, sizes, addresses, networks."""

import ipaddress
import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from postroad.proxy.access import Destination, IpNetwork
from postroad.wire.socks5 import IpAddress

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+)\s*(B|kB|KB|KiB|MB|MiB|GB|GiB)?")
_OCTETS = {
    None: 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "KiB": 1 << 10,
    "MB": 10**6,
    "MiB": 1 << 20,
    "GB": 10**9,
    "GiB": 1 << 30,
}
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*\.?")


def parse_duration(value: Any) -> float:
    """Seconds of `1h30m`, `20m`, `5d`, `250ms`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError('a duration such as "30s", "20m", "1h30m" or "5d"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(value))


def parse_size(value: Any) -> int:
    """Octets of `50MiB`, `64 kB` or a plain number."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size such as "50MiB", "64kB" or a number of octets')
    return int(match[1]) * _OCTETS[match[2]]


def parse_host_name(value: Any) -> str:
    """A DNS name."""
    if not isinstance(value, str) or len(value) > 253 or not _NAME.fullmatch(value):
        raise ValueError('a host name such as "mta-a.example.org"')
    return value.rstrip(".")


@dataclass(frozen=True)
class Endpoint:
    """A host and port; `host` may be a name where that makes sense."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class SystemdSocket:
    """A socket that systemd passes by name (`FileDescriptorName=`)."""

    name: str

    def __str__(self) -> str:
        return f"systemd:{self.name}"


def _split(value: Any, default_port: int | None, wanted: str) -> tuple[str, int]:
    if isinstance(value, str):
        host, _, port = value.rpartition(":")
        if not host and default_port is not None and value:
            host, port = value, str(default_port)
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{wanted}; an IPv6 address stands in brackets")
        if host and port.isdigit() and 0 <= int(port) <= 65535:
            return host, int(port)
    raise ValueError(wanted)


def parse_endpoint(value: Any) -> Endpoint:
    """An IP address and port."""
    wanted = 'an address and port such as "10.20.16.7:1080"'
    host, port = _split(value, None, wanted)
    try:
        return Endpoint(str(ipaddress.ip_address(host)), port)
    except ValueError:
        raise ValueError(wanted) from None


def parse_listen(value: Any) -> Endpoint | SystemdSocket:
    """Where to listen: an address and port, or a socket of systemd's."""
    if isinstance(value, str) and value.startswith("systemd:") and value.removeprefix("systemd:"):
        return SystemdSocket(value.removeprefix("systemd:"))
    try:
        return parse_endpoint(value)
    except ValueError as error:
        raise ValueError(f'{error} or "systemd:NAME"') from None


def parse_named_endpoint(value: Any) -> Endpoint:
    """A host, by name or address, and port (25 if it is left out)."""
    return _named_endpoint(value, 25, 'a host and port such as "127.0.0.1:2626" or "relay.example.org:25"')


def parse_admin_endpoint(value: Any) -> Endpoint:
    """A host, by name or address, and its admin port (8025 if it is left out)."""
    return _named_endpoint(value, 8025, 'a host and its admin port such as "10.20.17.5" or "mta-b.example.org:8025"')


def _named_endpoint(value: Any, default_port: int, wanted: str) -> Endpoint:
    host, port = _split(value, default_port, wanted)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            host = parse_host_name(host)
        except ValueError:
            raise ValueError(wanted) from None
    return Endpoint(host, port)


def parse_server(value: Any) -> Endpoint:
    """A DNS server: an address, with its port if that isn't 53."""
    wanted = 'the address of a resolver such as "127.0.0.1" or "127.0.0.1:5353"'
    try:
        return Endpoint(str(ipaddress.ip_address(value)), 53)
    except ValueError:
        pass
    host, port = _split(value, 53, wanted)
    try:
        return Endpoint(str(ipaddress.ip_address(host)), port)
    except ValueError:
        raise ValueError(wanted) from None


def parse_network(value: Any) -> IpNetwork:
    """A network in CIDR notation."""
    try:
        if isinstance(value, str):
            return ipaddress.ip_network(value)
    except ValueError as error:
        if "host bits" in str(error):
            wide = ipaddress.ip_network(value, strict=False)
            raise ValueError(f'a network without host bits: "{wide}" is the one around it') from None
    raise ValueError('a network such as "10.20.0.0/16"')


def parse_address(value: Any) -> IpAddress:
    """An IP address."""
    try:
        if isinstance(value, str):
            return ipaddress.ip_address(value)
    except ValueError:
        pass
    raise ValueError('an IP address such as "10.20.16.7"')


def parse_destination(value: Any) -> Destination:
    """A network and the ports in it."""
    if not isinstance(value, str):
        raise ValueError('a network and ports such as "0.0.0.0/0:25" or "10.0.0.0/8:1024-65535"')
    return Destination.parse(value)


Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
HostName = Annotated[str, BeforeValidator(parse_host_name)]
Listen = Annotated[Endpoint | SystemdSocket, BeforeValidator(parse_listen)]
Address = Annotated[Any, BeforeValidator(parse_address)]
NetworkAddress = Annotated[Endpoint, BeforeValidator(parse_endpoint)]
NamedEndpoint = Annotated[Endpoint, BeforeValidator(parse_named_endpoint)]
Server = Annotated[Endpoint, BeforeValidator(parse_server)]
Network = Annotated[Any, BeforeValidator(parse_network)]
DestinationPorts = Annotated[Any, BeforeValidator(parse_destination)]

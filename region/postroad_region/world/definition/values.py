"""Values that the world's file is made of: addresses, names, replies and spans of time."""

import re
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from postroad_region.addresses import INTERNET_GATEWAY, INTERNET_RANGE, SERVICES
from postroad_region.dns.desired import AUTHORITY_ADDRESS, PUBLIC_RESOLVER_ADDRESS, ROOT_ADDRESS

_RESERVED = {
    ROOT_ADDRESS: "the root server's",
    PUBLIC_RESOLVER_ADDRESS: "the public resolver's",
    AUTHORITY_ADDRESS: "the hosted zones' name server's",
    str(SERVICES): "the AWS endpoints'",
    str(INTERNET_GATEWAY): "the gateway's",
}
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")
_REPLY = re.compile(r"([245])[0-5]\d \1\.\d{1,3}\.\d{1,3} [ -~]+(\n[ -~]+)*\n?\Z")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """Seconds of a span as it is written: `90`, `20m`, `1d12h`.

    Raises:
        ValueError: it isn't one.
    """
    try:
        value = float(text)
    except ValueError:
        parts = _SPAN.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError("is no span of time; write it as 90, 20m or 1d12h") from None
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 <= value < float("inf"):
        raise ValueError("is no span of time; write it as 90, 20m or 1d12h")
    return value


def _address(value: str) -> str:
    try:
        inside = IPv4Address(value) in INTERNET_RANGE
    except ValueError:
        raise ValueError("is no IPv4 address") from None
    if not inside:
        raise ValueError(f"is outside {INTERNET_RANGE}; take a free one of that range")
    if value in _RESERVED:
        raise ValueError(f"is {_RESERVED[value]} address; take another")
    return value


def _host(value: str) -> str:
    if not _HOST.match(value) or not value.endswith(".test"):
        raise ValueError("is no lower-case host name below test")
    return value


def _reply(value: str) -> str:
    if not _REPLY.match(value):
        raise ValueError("is no reply: write code, enhanced code of the same class, text (RFC 2034)")
    return value.rstrip("\n")


def _mailbox(value: str) -> str:
    local, _, domain = value.rpartition("@")
    if not re.fullmatch(r"[A-Za-z0-9._+=-]{1,64}", local) or not _HOST.match(domain):
        raise ValueError("is no mail address")
    return value


def _span(value: object) -> object:
    return seconds(value) if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, AfterValidator(_host)]
MailAddress = Annotated[str, AfterValidator(_mailbox)]
Reply = Annotated[str, AfterValidator(_reply)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Share = Annotated[float, Field(ge=0, le=1)]
# World time passes as fast as `day` says; real time is what a client's timeouts see.
WorldSpan = Annotated[float, BeforeValidator(_span), Field(ge=0)]
RealSpan = Annotated[float, BeforeValidator(_span), Field(ge=0, le=3600)]


class Part(BaseModel):
    """A part of the file: nothing unknown in it, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

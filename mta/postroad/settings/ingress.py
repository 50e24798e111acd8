"""Settings of where mail comes in, and of who sends it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from postroad.settings.load import Settings, option
from postroad.settings.units import Duration, HostName, Listen, Network, Size, parse_host_name, parse_network
from postroad.tenants.tenant import WILDCARD, Tenant


def _tenant_domain(value: Any) -> str:
    """A domain, or `*.` and the domain that all the others are below."""
    wanted = 'a domain such as "example.com", or "*.example.com" for all below it'
    try:
        name = parse_host_name(value.removeprefix(WILDCARD) if isinstance(value, str) else value)
    except ValueError:
        beyond_ascii = isinstance(value, str) and not value.isascii()
        raise ValueError(f"{wanted}{' (xn-- for other letters)' if beyond_ascii else ''}") from None
    return (WILDCARD if value.startswith(WILDCARD) else "") + name.lower()


TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
TenantDomain = Annotated[str, BeforeValidator(_tenant_domain)]


class TenantSettings(Settings):
    """Whose mail is sent here."""

    domains: tuple[TenantDomain, ...] = Field(
        description='What its mail may be from: "example.com"; "*.example.com" for all below it.'
    )


class RelaySettings(Settings):
    """A network whose hosts may send."""

    network: Network = Field(description="The network, in CIDR notation; of several that hold an address the smallest.")
    tenant: TenantName | None = Field(None, description="Whose mail comes from there; nobody's if left out.")


def _relay_entry(value: Any) -> Any:
    """A network alone, or a table that also names its tenant."""
    if isinstance(value, dict | RelaySettings):
        return value
    try:
        return RelaySettings(network=str(parse_network(value)))
    except ValueError as error:
        raise ValueError(f'{error}, or {{ network = "10.1.0.0/16", tenant = "NAME" }}') from None


RelayEntry = Annotated[RelaySettings, BeforeValidator(_relay_entry)]


class ListenerSettings(Settings):
    """A port where mail comes in."""

    address: Listen = Field(description='Where to listen: "address:port" or "systemd:NAME".')
    relay_from: tuple[RelayEntry, ...] = Field(
        (),
        description="Networks whose hosts may send; nobody else may. An entry may name the tenant whose mail that is: "
        '{ network = "10.1.0.0/16", tenant = "acme" }; mail of no tenant is relayed, and not signed.',
    )
    proxy_from: tuple[Network, ...] = Field(
        (), description="Load balancers: their connections begin with a PROXY header, whose address is the one judged."
    )
    hostname: HostName | None = Field(None, description="Name in banner and Received; the host's own if left out.")
    max_sessions: int = Field(2000, ge=1, le=100_000, description="Connections at a time; more get 421.")
    max_sessions_per_client: int = Field(
        1000, ge=1, le=100_000, description="Of one address, or of one /64 of IPv6, as the PROXY header has it."
    )
    max_message_size: Size = option("50MiB", ge=1024, le=1 << 30, description="Announced as SIZE.")
    max_recipients: int = Field(1000, ge=100, le=50_000, description="Of one message (RFC 5321 4.5.3.1.8: 100).")
    command_timeout: Duration = option(
        "5m", ge=1, description="For a whole command, and between the parts of a message (RFC 5321 4.5.3.2.7: 5 min)."
    )
    message_timeout: Duration = option(
        "10m", ge=1, description="For a whole message; one that keeps to min_rate may take longer."
    )
    min_rate: Size = option("1KiB", description="Octets a second, on average, of a message that takes so long.")
    tls: Literal["none", "starttls", "implicit"] = Field(
        "none", description="TLS 1.2 or newer: offered by STARTTLS, or spoken from the begin (behind a PROXY header)."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM chain, the host's own certificate first; read again when it changes."
    )
    tls_key: Path | None = Field(None, description="Its unencrypted PEM key; that of the chain's file if left out.")
    auth: Literal["none", "offered", "required"] = Field(
        "none",
        description="AUTH PLAIN and LOGIN, under TLS only, with the identities of [auth]; required: of everybody.",
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "ListenerSettings":
        if self.tls != "none" and self.tls_certificate is None:
            raise ValueError(f'tls = "{self.tls}" needs tls_certificate')
        if self.tls == "none" and (self.tls_certificate or self.tls_key):
            raise ValueError('tls_certificate and tls_key need tls = "starttls" or "implicit"')
        if self.tls == "none" and self.auth != "none":
            raise ValueError(f'auth = "{self.auth}" needs tls = "starttls" or "implicit": no password is taken without')
        return self


class AuthSettings(Settings):
    """Who may send after AUTH."""

    file: Path = Field(
        description="Identities, one a line: name, tenant, and what `postroad-mta hash-password` prints; read again "
        "when it changes."
    )
    max_failures: int = Field(
        10,
        ge=1,
        le=10_000,
        description="Wrong passwords of one client address or for one identity within failure_window.",
    )
    failure_window: Duration = option("10m", ge=1, description="How long a wrong password counts.")
    lockout: Duration = option("15m", ge=1, description="So long what failed too often gets 454.")


def tenant_problem(tenants: dict[str, TenantSettings]) -> str | None:
    """What can't be: a domain is one tenant's, and so is all below a wildcard. None if all is well."""
    made = [Tenant.of(name, item.domains) for name, item in tenants.items()]
    for name, item in tenants.items():
        for domain in item.domains:
            # For all that is below a wildcard, any one name stands.
            asked = "any" + domain.removeprefix("*") if domain.startswith(WILDCARD) else domain
            for other in made:
                if other.name != name and other.owns(asked.encode()):
                    return f"{domain} is a domain of tenants {name} and {other.name}: leave it to one of them"
    return None


class LimitsSettings(Settings):
    """What all clients together may make the process hold."""

    memory: Size | None = Field(
        None,
        description="Memory of the process above which connections get 421 and messages 452; three quarters of what "
        "its cgroup or the host has if left out.",
    )
    unfinished_messages: Size = option(
        "256MiB", ge=1 << 20, description="Octets of messages on their way in, all together; beyond them 452."
    )

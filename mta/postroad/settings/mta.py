"""Settings of the MTA."""

from pathlib import Path

from pydantic import Field, model_validator

from postroad.content.key_ring import KeyFile
from postroad.egress.source import Source
from postroad.settings.ingress import (
    AuthSettings,
    LimitsSettings,
    ListenerSettings,
    TenantName,
    TenantSettings,
    tenant_problem,
)
from postroad.settings.load import Settings, option
from postroad.settings.units import (
    Address,
    Duration,
    Endpoint,
    HostName,
    Listen,
    NamedEndpoint,
    NetworkAddress,
    Server,
    Size,
)
from postroad.tenants.tenant import Tenant


class SpoolSettings(Settings):
    """Where accepted mail lies."""

    path: Path = Field(description="Folder of the log; made if it is missing. One process a folder.")
    min_free: Size = option("32MiB", description="Free space below which mail is answered with 452.")
    min_free_inodes: int = Field(100, ge=0, description="Free inodes below which it is; where they are limited at all.")
    segment_size: Size = option("64MiB", ge=1 << 16, le=1 << 30, description="Size of a file of the log.")


class RoutingSettings(Settings):
    """Which hosts mail goes to."""

    smart_host: NamedEndpoint | None = Field(None, description="One host for all mail; MX records if left out.")
    port: int = Field(25, ge=1, le=65535, description="Port of the hosts that MX records name.")
    ipv6: bool = Field(
        False,
        description="Also send by IPv6 from where no source address is given. Leave it off unless the host's IPv6 "
        "addresses have reverse names: large providers refuse mail from those that have none.",
    )


class SourceSettings(Settings):
    """An address that mail leaves from."""

    address: Address = Field(description="What is bound, by the proxy or here.")
    ehlo: HostName = Field(description="Name given to other hosts; the address's PTR record should lead to it.")
    proxies: tuple[NetworkAddress, ...] = Field((), description="The proxies that have the address; none: this host.")


class EgressSettings(Settings):
    """How mail leaves."""

    sources: dict[str, SourceSettings] = Field({}, description="[egress.sources.NAME]: used in turn.")

    ehlo: HostName | None = Field(
        None, description="Name given to other hosts; that of the first listener if left out."
    )
    proxies: tuple[NetworkAddress, ...] = Field((), description="Outbound proxies; none: connect directly.")
    source: Address | None = Field(None, description="Address to send from; the proxy's or host's own if left out.")
    starttls: bool = Field(True, description="Use TLS where offered, without verification; plain where it breaks.")
    connect_timeout: Duration = option("30s", ge=0.1, description="For a TCP connection to a mail host.")
    proxy_timeout: Duration = option("2s", ge=0.1, description="For a TCP connection to a proxy; then the next one.")
    max_connections: int = Field(500, ge=1, le=50_000, description="In all.")
    max_connections_per_site: int = Field(20, ge=1, le=10_000, description="To one set of mail hosts.")
    max_messages_per_connection: int = Field(500, ge=1, description="Then the connection is replaced.")
    max_recipients_per_transaction: int = Field(
        100, ge=1, le=100, description="Of one message, at all domains of a site (RFC 5321 4.5.3.1.8: 100)."
    )
    overlap: bool = Field(
        True, description="Begin the next message while one is answered; remembered of hosts that can't (RFC 2920 3.1)."
    )
    chunking_limit: Size = option(
        "256KiB", description="Largest message that goes by BDAT to hosts that took the one before (RFC 3030); 0: none."
    )
    idle_timeout: Duration = option("5s", ge=0, description="An unused connection is kept so long.")
    content_memory: Size = option("64MiB", description="Messages also kept in memory until their first attempt.")

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> "EgressSettings":
        if self.sources and (self.proxies or self.source):
            raise ValueError("egress.sources says what egress.proxies and egress.source would: give one or the other")
        if len({bool(source.proxies) for source in self.sources.values()}) > 1:
            raise ValueError("either every one of egress.sources has proxies, or none has")
        return self

    def all_sources(self, hostname: str) -> tuple[Source, ...]:
        """The sources, at least one; `hostname` is the EHLO name where the settings say none."""
        if not self.sources:
            return (Source("", self.ehlo or hostname, self.source, self.proxies),)
        return tuple(Source(name, source.ehlo, source.address, source.proxies) for name, source in self.sources.items())


def families(sources: tuple[Source, ...], *, ipv6: bool) -> frozenset[int]:
    """The families of addresses that mail leaves by, 4 and 6: those of the sources."""
    own = {source.address.version for source in sources if source.address is not None}
    if any(source.address is None for source in sources):
        own |= {4, 6} if ipv6 else {4}
    return frozenset(own)


class RetrySettings(Settings):
    """What happens to mail that isn't taken at once."""

    first_delay: Duration = option(
        "20m", ge=0.01, description="Wait after the first deferral; doubles until max_delay."
    )
    max_delay: Duration = option("4h", ge=0.01, description="The longest wait between attempts.")
    max_age: Duration = option(
        "5d", ge=1, le=30 * 86400, description="Bounce what is older (RFC 5321 4.5.4.1: 4–5 days)."
    )

    @model_validator(mode="after")
    def _delays_in_order(self) -> "RetrySettings":
        if self.max_delay < self.first_delay:
            raise ValueError("retry.max_delay must be at least retry.first_delay")
        return self


class NoticeSettings(Settings):
    """What senders are told of their mail (RFC 3461)."""

    delay_after: Duration = option(
        "4h", ge=0, description="Who asked for it (NOTIFY=DELAY) hears once that mail of this age waits; 0: never."
    )
    return_limit: Size = option(
        "1MiB", le=1 << 30, description="Largest message that a failure returns whole (RET=FULL); else its header."
    )


class DkimKeySettings(Settings):
    """A key that signs a domain's mail."""

    domain: HostName = Field(description="Mail whose From is of this domain, which a tenant owns, is signed.")
    selector: HostName = Field(description="The key is published at <selector>._domainkey.<domain>.")
    file: Path = Field(description="PEM file with an RSA (1024 bits at least) or Ed25519 private key.")


class DkimSettings(Settings):
    """DKIM signatures of tenants' mail, one with each key of each domain in From; files are read again on change."""

    keys: tuple[DkimKeySettings, ...] = Field((), description="Keys in files of any name.")
    folder: Path | None = Field(
        None, description="Further keys, FOLDER/DOMAIN/SELECTOR.pem: what is put there signs, what is removed doesn't."
    )

    def files(self) -> tuple[KeyFile, ...]:
        """The files that `keys` names."""
        return tuple(KeyFile(key.domain, key.selector, key.file) for key in self.keys)


class DnsSettings(Settings):
    """Who is asked."""

    servers: tuple[Server, ...] = option(("127.0.0.1",), min_length=1, description="Resolvers, asked in order.")
    timeout: Duration = option("10s", ge=0.1, description="For one question.")


class AdminSettings(Settings):
    """The HTTP door for operators."""

    address: Listen = option("127.0.0.1:8025", description="Where to listen.")
    token_file: Path | None = Field(
        None,
        description="Bearer token; without one, and without tls_client_ca, all but /ready, /health, /metrics answers "
        "on loopback only.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM chain, the port's own certificate first; read again when it changes. With it the port speaks "
        "TLS 1.2 or newer and nothing else.",
    )
    tls_key: Path | None = Field(None, description="Its unencrypted PEM key; that of the chain's file if left out.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM certificates of authorities: who shows a certificate of one of them may ask and order "
        "anything, as with the token. Read again when it changes.",
    )

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "AdminSettings":
        if self.tls_certificate is None and (self.tls_key or self.tls_client_ca):
            raise ValueError("tls_key and tls_client_ca need tls_certificate")
        return self


class ShutdownSettings(Settings):
    """What SIGTERM waits for."""

    grace: Duration = option("30s", ge=0, description="For sessions before the end of DATA, in and out.")


class DrainSettings(Settings):
    """How the spool is moved to other MTAs before this one goes."""

    accept_for: Duration = option(
        "30s", ge=0, le=3600, description="So long after its begin new sessions are still taken; then they get 421."
    )
    batch_messages: int = Field(500, ge=1, le=10_000, description="Messages that are moved by one request.")
    batch_octets: Size = option(
        "8MiB", ge=1 << 16, le=256 << 20, description="Of one request; a larger message is alone."
    )
    timeout: Duration = option("60s", ge=0.1, le=600, description="For a target's answer to one request.")
    retry: Duration = option("5s", ge=0.01, le=600, description="Until a target that took nothing is asked again.")
    keep_delivering: bool = Field(True, description="Deliver while no target takes mail; else it waits.")
    token_file: Path | None = Field(
        None, description="Bearer token that the targets want; that of [admin] token_file if left out."
    )
    tls_ca: Path | None = Field(
        None,
        description="PEM certificates of the authorities that issue the targets' certificates, for the addresses by "
        "which they are named as targets. With it they are spoken to by TLS; without it in the clear.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM chain that this MTA shows the targets, where they want one ([admin] tls_client_ca)."
    )
    tls_key: Path | None = Field(None, description="Its unencrypted PEM key; that of the chain's file if left out.")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "DrainSettings":
        if (self.tls_key and not self.tls_certificate) or (self.tls_certificate and not self.tls_ca):
            raise ValueError("tls_key needs tls_certificate, and that needs tls_ca")
        return self


class MtaSettings(Settings):
    """`mta.toml`."""

    workers: int = Field(
        1, ge=1, le=64, description="Processes, one for each core; each has a part of the spool and of every limit."
    )
    listeners: dict[str, ListenerSettings] = Field(min_length=1, description="[listeners.NAME]: where mail comes in.")
    tenants: dict[TenantName, TenantSettings] = Field({}, description="[tenants.NAME]: whose mail is sent here.")
    auth: AuthSettings | None = Field(None, description="[auth]: who may send after AUTH.")
    spool: SpoolSettings = Field(description="[spool]: where accepted mail lies.")
    limits: LimitsSettings = LimitsSettings()
    routing: RoutingSettings = RoutingSettings()
    egress: EgressSettings = EgressSettings()
    retry: RetrySettings = RetrySettings()
    notices: NoticeSettings = NoticeSettings()
    dkim: DkimSettings = DkimSettings()
    dns: DnsSettings = DnsSettings()
    admin: AdminSettings = AdminSettings()
    shutdown: ShutdownSettings = ShutdownSettings()
    drain: DrainSettings = DrainSettings()

    @model_validator(mode="after")
    def _ports_differ(self) -> "MtaSettings":
        places = [listener.address for listener in self.listeners.values()] + [self.admin.address]
        fixed = [place for place in places if not isinstance(place, Endpoint) or place.port]
        if len(set(fixed)) < len(fixed):
            raise ValueError("two listeners (admin included) have the same address")
        return self

    @model_validator(mode="after")
    def _tenants_fit(self) -> "MtaSettings":
        if (problem := tenant_problem(self.tenants)) is not None:
            raise ValueError(problem)
        for name, listener in self.listeners.items():
            if listener.auth != "none" and self.auth is None:
                raise ValueError(f'listeners.{name}.auth = "{listener.auth}" needs [auth] with the file of identities')
            networks = [entry.network for entry in listener.relay_from]
            for number, entry in enumerate(listener.relay_from):
                if entry.network in networks[:number]:
                    raise ValueError(f"listeners.{name}.relay_from: {entry.network} is there twice")
                if entry.tenant is not None and entry.tenant not in self.tenants:
                    known = ", ".join(sorted(self.tenants)) or "none"
                    raise ValueError(
                        f"listeners.{name}.relay_from: {entry.network} names tenant {entry.tenant}, and there is no "
                        f"[tenants.{entry.tenant}]; known here: {known}"
                    )
        tenants = self.all_tenants()
        for key in self.dkim.keys:
            if not any(tenant.owns(key.domain.encode()) for tenant in tenants.values()):
                raise ValueError(
                    f"dkim.keys: {key.domain} is no tenant's, so nothing would be signed with its key: add it to the "
                    "domains of a [tenants.NAME]"
                )
        return self

    @model_validator(mode="after")
    def _messages_can_come_in(self) -> "MtaSettings":
        for name, listener in self.listeners.items():
            if listener.max_message_size > self.limits.unfinished_messages:
                raise ValueError(
                    f"limits.unfinished_messages must be at least listeners.{name}.max_message_size, "
                    f"{listener.max_message_size} octets: such a message could never come in"
                )
        return self

    def all_tenants(self) -> dict[str, Tenant]:
        """The tenants by name."""
        return {name: Tenant.of(name, item.domains) for name, item in self.tenants.items()}

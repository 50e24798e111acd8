"""Settings of the outbound proxy."""

from pydantic import Field

from postroad.settings.load import Settings, option
from postroad.settings.units import DestinationPorts, Duration, Listen, Network


class ListenerSettings(Settings):
    """The port where MTAs connect: SOCKS5 and PROXY v1/v2, told apart by the first octet."""

    address: Listen = Field(description='Where to listen: "address:port" or "systemd:NAME".')
    max_sessions: int = Field(9000, ge=1, le=100_000, description="Sessions at a time; more are closed at once.")
    handshake_timeout: Duration = option("10s", ge=0.1, description="For a client's part of the handshake.")
    connect_timeout: Duration = option("60s", ge=0.1, description="For a connection to a destination.")


class AccessSettings(Settings):
    """Who may go where. What isn't listed is refused."""

    clients: tuple[Network, ...] = Field(description="Networks of the MTAs.")
    sources: tuple[Network, ...] = Field(description="Addresses that may be asked for as source.")
    destinations: tuple[DestinationPorts, ...] = Field(
        description="network:port or network:first-last. Private, loopback, link-local and metadata addresses only "
        "where an entry lies inside those ranges."
    )


class AdminSettings(Settings):
    """The HTTP door for operators."""

    address: Listen = option("127.0.0.1:1081", description="Where to listen.")


class ShutdownSettings(Settings):
    """What SIGTERM waits for."""

    grace: Duration = option("15m", ge=0, description="For sessions to end by themselves; then they are cut.")


class ProxySettings(Settings):
    """`proxy.toml`."""

    listener: ListenerSettings = Field(description="[listener]: where MTAs connect.")
    access: AccessSettings = Field(description="[access]: who may go where.")
    admin: AdminSettings = AdminSettings()
    shutdown: ShutdownSettings = ShutdownSettings()

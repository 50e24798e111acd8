"""The MTA's metrics: Prometheus names, base units, no unbounded labels."""

from prometheus_client import CollectorRegistry, Gauge

from postroad.build import Build
from postroad.counters import Counter, Histogram


class MtaMetrics:
    """All counters of one MTA, in a registry of its own."""

    def __init__(self, build: Build) -> None:
        registry = self.registry = CollectorRegistry()
        info = Gauge(
            "postroad_mta_build_info", "The running build.", ["version", "release", "channel"], registry=registry
        )
        info.labels(build.version, build.release, "stable").set(1)
        self.received = Counter("postroad_mta_received_messages", "Messages accepted with 250.", registry=registry)
        self.received_octets = Counter("postroad_mta_received_bytes", "Octets of accepted messages.", registry=registry)
        self.refused = Counter("postroad_mta_refused_messages", "Messages refused.", ["reason"], registry=registry)
        self.refused_connections = Counter(
            "postroad_mta_refused_connections", "Connections of clients that got 421 at once.", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.unfinished_octets = Gauge(
            "postroad_mta_unfinished_message_bytes", "Octets of messages on their way in.", registry=registry
        )
        self.resident_octets = Gauge("postroad_mta_resident_bytes", "Memory that the process holds.", registry=registry)
        self.refused_commands = Counter(
            "postroad_mta_refused_commands", "SMTP commands refused.", ["class"], registry=registry
        )
        self.authentications = Counter(
            "postroad_mta_authentications", "AUTH attempts, by what became of them.", ["outcome"], registry=registry
        )
        self.certificate_expiry = Gauge(
            "postroad_mta_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which a listener's certificate ends.", ["listener"], registry=registry,
        )  # fmt: skip
        self.tls_failures = Counter(
            "postroad_mta_tls_failures", "Connections of clients that ended in the TLS handshake.", ["listener"],
            registry=registry,
        )  # fmt: skip
        outcomes = Counter(
            "postroad_mta_recipients", "Answers for recipients: one per recipient and attempt.", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.delivered = outcomes.labels("delivered")
        self.deferred = outcomes.labels("deferred")
        self.bounced = outcomes.labels("bounced")
        self.finished = Counter(
            "postroad_mta_finished_messages", "Messages with nothing left to do.", registry=registry
        )
        self.proxy_failures = Counter(
            "postroad_mta_proxy_failures", "Attempts that failed at an outbound proxy.", registry=registry
        )
        self.watchdog = Counter(
            "postroad_mta_watchdog_aborts", "Deliveries taken back from where no timeout ended them.", registry=registry
        )
        self.commit_seconds = Histogram(
            "postroad_mta_accept_seconds", "From the final dot to the message being on disk.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0), registry=registry,
        )  # fmt: skip
        self.sessions = Gauge("postroad_mta_sessions", "Open SMTP connections.", ["direction"], registry=registry)
        self.queued = Gauge("postroad_mta_queued_messages", "Messages in the spool.", registry=registry)
        self.scheduled = Gauge(
            "postroad_mta_scheduled_deliveries", "Deliveries waiting for their time.", registry=registry
        )
        self.ready = Gauge("postroad_mta_ready_deliveries", "Deliveries waiting for a connection.", registry=registry)
        self.draining = Gauge("postroad_mta_draining", "1 while the spool is moved away.", registry=registry)
        self.offered = Gauge(
            "postroad_mta_offered_messages", "Messages that another MTA may have taken; they wait for its answer.",
            registry=registry,
        )  # fmt: skip
        self.moved = Counter(
            "postroad_mta_messages_moved", "Messages moved between MTAs, by what became of each offer of one.",
            ["direction", "outcome"], registry=registry,
        )  # fmt: skip
        self.spool_octets = Gauge("postroad_mta_spool_bytes", "Size of the spool's log.", registry=registry)
        self.commits = Gauge("postroad_mta_spool_commits", "Rounds of fdatasync so far.", registry=registry)


def admin_certificate_expiry(registry: CollectorRegistry) -> Gauge:
    """When the admin port's certificate ends; only where it has one."""
    return Gauge(
        "postroad_mta_admin_certificate_expiry_timestamp_seconds",
        "Unix time at which the admin port's certificate ends.", registry=registry,
    )  # fmt: skip


class ProxyMetrics:
    """All counters of one proxy, in a registry of its own."""

    def __init__(self, build: Build) -> None:
        registry = self.registry = CollectorRegistry()
        info = Gauge(
            "postroad_proxy_build_info", "The running build.", ["version", "release", "channel"], registry=registry
        )
        info.labels(build.version, build.release, "stable").set(1)
        self.sessions = Gauge("postroad_proxy_sessions", "Sessions relayed now.", registry=registry)
        self.accepted = Counter(
            "postroad_proxy_accepted_connections", "Connections taken.", ["protocol"], registry=registry
        )
        self.refused = Counter(
            "postroad_proxy_refused_connections", "Refused by rule or limit.", ["reason"], registry=registry
        )
        self.failed = Counter(
            "postroad_proxy_failed_connections", "Could not be bound or connected.", ["step"], registry=registry
        )
        octets = Counter("postroad_proxy_relayed_bytes", "Octets relayed.", ["direction"], registry=registry)
        self.octets_out = octets.labels("to_destination")
        self.octets_in = octets.labels("to_client")

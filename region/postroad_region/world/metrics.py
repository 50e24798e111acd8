"""The world's metrics as Prometheus text. Labels are bounded: providers and their replies by the file, sources by the
box's addresses.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from postroad_region.world.internet import Internet

_PREFIX = "postroad_world_"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_STANDINGS = ("good", "throttled", "blocked")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family: name without prefix, type, help and label names."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


VERDICTS = Metric("verdicts_total", "counter", "What providers answered.", ("provider", "source", "verdict"))
CHECKS = Metric("checks_total", "counter", "Outcomes of checks of accepted mail.", ("provider", "check", "outcome"))
SCORE = Metric("reputation_score", "gauge", "A source's score with a provider, 0 to 1.", ("provider", "source"))
STANDING = Metric(
    "reputation_standing", "gauge", "1 for the standing that a source has.", ("provider", "source", "standing")
)
ALLOWANCE = Metric("reputation_allowance", "gauge", "Messages a day that a source may send.", ("provider", "source"))
CONNECTIONS = Metric("connections", "gauge", "Connections to a provider.", ("provider",))
LISTENING = Metric("host_listening", "gauge", "1 if an MX host takes connections.", ("provider", "host"))
INCIDENTS = Metric("incidents_active", "gauge", "Incidents that run.", ("kind",))
OUTBOUND = Metric("outbound_total", "counter", "Bounces and complaint reports.", ("provider", "kind", "outcome"))
QUEUED = Metric("outbound_queued", "gauge", "Bounces and complaint reports that wait.")
DROPPED = Metric("outbound_dropped_total", "counter", "Those that the full queue didn't take.")
CLOCK = Metric("clock_seconds", "gauge", "The world's time, seconds since the epoch.")
DAY = Metric("day_seconds", "gauge", "Real seconds of a day of the world.")


def exposition(internet: Internet) -> str:
    """All metrics."""
    standings = internet.reputation()
    scores = [((name, source), row) for name, rows in standings.items() for source, row in rows.items()]
    kinds: dict[str, int] = {}
    for each in internet.incidents.running():
        kinds[each.incident.kind] = kinds.get(each.incident.kind, 0) + 1
    families: list[tuple[Metric, Iterable[tuple[tuple[str, ...], float]]]] = [
        (VERDICTS, [((a, b, c), count) for a, b, c, count in internet.ledger.counts.verdicts()]),
        (CHECKS, [((a, b, c), count) for a, b, c, count in internet.ledger.counts.checks()]),
        (SCORE, [(key, row["score"]) for key, row in scores]),
        (STANDING, [((*key, each), float(row["standing"] == each)) for key, row in scores for each in _STANDINGS]),
        (ALLOWANCE, [(key, row["allowance"]) for key, row in scores]),
        (CONNECTIONS, [((name,), count) for name, count in internet.connections().items()]),
        (LISTENING, [(key, float(listens)) for key, listens in internet.hosts().items()]),
        (INCIDENTS, [((kind,), count) for kind, count in sorted(kinds.items())]),
        (OUTBOUND, [(key, count) for key, count in sorted(internet.courier.outcomes.items())]),
        (QUEUED, [((), len(internet.courier.queue))]),
        (DROPPED, [((), internet.aftermath.dropped)]),
        (CLOCK, [((), internet.clock.now())]),
        (DAY, [((), internet.clock.day)]),
    ]
    return "".join(line for metric, samples in families for line in _family(metric, samples))


def _family(metric: Metric, samples: Iterable[tuple[tuple[str, ...], float]]) -> Iterable[str]:
    name = f"{_PREFIX}{metric.name}"
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    for values, value in samples:
        pairs = zip(metric.labels, values, strict=True)
        labels = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in pairs)
        yield f"{name}{{{labels}}} {value:.12g}\n" if labels else f"{name} {value:.12g}\n"

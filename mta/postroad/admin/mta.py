"""What the MTA answers to operators."""

from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.admin.api import Handlers
from postroad.admin.http import AdminRequest, Answer
from postroad.clock import steady
from postroad.queue.survey import By, top

if TYPE_CHECKING:
    from postroad.mta import Mta

_TOP = 20


def mta_handlers(mta: "Mta") -> Handlers:
    """Who answers about the MTA as a whole."""

    def ready(_: AdminRequest) -> Answer:
        reason = mta.not_ready()
        return Answer.text("ready") if reason is None else Answer.text(f"not ready: {reason}", 503)

    def metrics(_: AdminRequest) -> Answer:
        mta.update_metrics()
        return Answer(200, generate_latest(mta.metrics.registry), CONTENT_TYPE_LATEST)

    def flush(_: AdminRequest) -> Answer:
        return Answer.json({"made_due": mta.dispatcher.flush()})

    return {
        ("GET", "/ready"): ready,
        ("GET", "/health"): lambda _: Answer.text("ok"),
        ("GET", "/metrics"): metrics,
        ("GET", "/build"): lambda _: Answer.json({"version": mta.build.version, "release": mta.build.release}),
        ("GET", "/queue"): lambda _: Answer.json(queue_summary(mta)),
        ("POST", "/flush"): flush,
        ("GET", "/workers"): lambda _: Answer.json({"workers": []}),
    }


def queue_summary(mta: "Mta") -> dict[str, Any]:
    """Counts of what is queued: in all, by site (ready) and by domain (scheduled)."""
    dispatcher = mta.dispatcher
    now = steady()
    queues = dispatcher.queues.values()
    # What doesn't wait for its time is in the order of acceptance, but for what was read from the log: good enough.
    first = next(iter(dispatcher.messages.values()), None)
    oldest = min((queue.oldest for queue in queues), default=now)
    if first is not None:
        oldest = min(oldest, first.received)
    sites = sorted(dispatcher.sites.values(), key=lambda site: site.waiting, reverse=True)
    return {
        "messages": len(dispatcher.messages),
        "scheduled": dispatcher.scheduled,
        "ready": sum(site.waiting for site in dispatcher.sites.values()),
        "in_flight": sum(site.busy for site in dispatcher.sites.values()),
        "oldest_seconds": round(now - oldest, 1),
        "spool_octets": mta.spool.octets,
        "sites": [{"site": site.name, "ready": site.waiting, "connections": site.connections} for site in sites[:_TOP]],
        "domains": [
            {
                "domain": row.name[0],
                "recipients": row.recipients,
                "next_attempt_in": round(max(0.0, row.next_due - now), 1),
                "last_reply": row.last_reply,
            }
            for row in top(queues, by=By.DOMAIN, limit=_TOP)
        ],
    }

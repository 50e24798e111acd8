"""What the MTA answers to operators."""

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.admin.http import AdminRequest, AdminRoute, Answer
from postroad.queue.survey import By, top

if TYPE_CHECKING:
    from postroad.mta import Mta

_TOP = 20


def mta_routes(mta: "Mta") -> dict[tuple[str, str], AdminRoute]:
    """The routes of an MTA's admin port."""

    def ready(_: AdminRequest) -> Answer:
        reason = mta.not_ready()
        return Answer.text("ready") if reason is None else Answer.text(f"not ready: {reason}", 503)

    def metrics(_: AdminRequest) -> Answer:
        mta.update_metrics()
        return Answer(200, generate_latest(mta.metrics.registry), CONTENT_TYPE_LATEST)

    def flush(_: AdminRequest) -> Answer:
        return Answer.json({"made_due": mta.dispatcher.flush()})

    return {
        ("GET", "/ready"): AdminRoute(ready, open=True, text=True, about="Whether mail should be sent here, or 503."),
        ("GET", "/health"): AdminRoute(
            lambda _: Answer.text("ok"), open=True, text=True, about="Whether the process works at all."
        ),
        ("GET", "/metrics"): AdminRoute(metrics, open=True, text=True, about="All metrics, as Prometheus reads them."),
        ("GET", "/build"): AdminRoute(
            lambda _: Answer.json({"version": mta.build.version, "release": mta.build.release}),
            about="The build.",
        ),
        ("GET", "/queue"): AdminRoute(
            lambda _: Answer.json(queue_summary(mta)),
            about="What is queued: in all, and the largest of it.",
        ),
        ("POST", "/flush"): AdminRoute(flush, about="Make everything due now that isn't suspended."),
    }


def queue_summary(mta: "Mta") -> dict[str, Any]:
    """Counts of what is queued: in all, by site (ready) and by domain (scheduled)."""
    dispatcher = mta.dispatcher
    now = time.time()
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

"""What the MTA answers to operators."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.admin.http import AdminRequest, AdminRoute, Answer

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
        ("GET", "/ready"): AdminRoute(ready, open=True),
        ("GET", "/health"): AdminRoute(lambda _: Answer.text("ok"), open=True),
        ("GET", "/metrics"): AdminRoute(metrics, open=True),
        ("GET", "/build"): AdminRoute(
            lambda _: Answer.json({"version": mta.build.version, "release": mta.build.release})
        ),
        ("GET", "/queue"): AdminRoute(lambda _: Answer.json(queue_summary(mta))),
        ("POST", "/flush"): AdminRoute(flush),
    }


def queue_summary(mta: "Mta") -> dict[str, Any]:
    """Counts of what is queued: in all, by site (ready) and by domain (scheduled)."""
    dispatcher = mta.dispatcher
    now = time.time()
    domains: Counter[bytes] = Counter()
    next_due: dict[bytes, float] = {}
    replies: dict[bytes, str] = {}
    for delivery in dispatcher.scheduled_deliveries():
        domain = delivery.domain
        domains[domain] += len(delivery.recipients)
        if delivery.due < next_due.get(domain, float("inf")):
            next_due[domain] = delivery.due
        if delivery.reply:
            replies[domain] = delivery.reply
    oldest = min((message.received for message in dispatcher.messages.values()), default=now)
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
                "domain": domain.decode("utf-8", "replace"),
                "recipients": count,
                "next_attempt_in": round(max(0.0, next_due[domain] - now), 1),
                "last_reply": replies.get(domain, ""),
            }
            for domain, count in domains.most_common(_TOP)
        ],
    }

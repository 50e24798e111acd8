"""The watchdog of deliveries: nothing waits for ever, whatever was forgotten."""

import asyncio
from collections.abc import Mapping
from typing import Any

from postroad.egress.site import Site
from postroad.metrics import MtaMetrics
from postroad.smtp.client import TIMEOUTS

INTERVAL = 60.0
SESSION_LIMIT = max(TIMEOUTS.values()) + 5 * INTERVAL
"""Seconds without progress that no session reaches whose timers work: its longest timeout, a stalled block of a message
(RFC 5321 4.5.3.2.5), and the minute by which a timer may be late."""


class DeliveryWatchdog:
    """Looks once a minute for deliveries that got nowhere for longer than any timeout allows, and takes them back.

    What it finds is a defect of this program: it is logged as an error and counted, so that somebody looks.
    """

    def __init__(
        self,
        sites: Mapping[str, Site],
        *,
        metrics: MtaMetrics,
        log: Any,
        limit: float = SESSION_LIMIT,
        interval: float = INTERVAL,
    ) -> None:
        self._sites = sites
        self._metrics = metrics
        self._log = log
        self._limit = limit
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._loop.call_later(interval, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        for site in list(self._sites.values()):
            if count := site.take_back(now, limit=self._limit):
                self._metrics.watchdog.inc(count)
                self._log.error("deliveries_taken_back", site=site.name, deliveries=count, limit=self._limit)
        self._loop.call_later(self._interval, self._look)

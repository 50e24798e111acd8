"""What the admin port answers for all workers."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from postroad.admin.api import Handlers, admin_routes
from postroad.admin.http import AdminRequest, AdminRoute, Answer
from postroad.build import this_build
from postroad.workers import merge
from postroad.workers.client import NoAnswerError, WorkerAnswer

if TYPE_CHECKING:
    from postroad.workers.supervisor import Supervisor

_TIMEOUT = 10.0
_BODY_TIMEOUT = 300.0
_RECEIVER = 1
"""The worker that takes other MTAs' messages: it must be the same one each time a batch is offered."""


Later = Callable[[AdminRequest], Awaitable[Answer]]


def worker_routes(supervisor: "Supervisor", *, max_batch: int) -> dict[tuple[str, str], AdminRoute]:
    """The routes of a supervisor's admin port: those of an MTA, answered by all of its workers."""
    build = this_build()

    def asked(method: str, path: str, merged: Callable[[list[Any]], Any], *, some: bool = False) -> Later:
        """One answer of those of all workers; with `some`, of those that can give one."""

        async def handle(request: AdminRequest) -> Answer:
            query = f"?{urlencode(request.parameters)}" if request.parameters else ""
            answers = await _ask_all(supervisor, method, path + query, request.body)
            good = [answer.json for answer in answers.values() if answer.status == 200]
            if len(good) == len(supervisor.workers) or (some and good):
                return Answer.json(merged(good))
            return _first_refusal(supervisor, answers)

        return handle

    def one(method: str, path: str) -> Later:
        async def handle(request: AdminRequest) -> Answer:
            try:
                answer = await supervisor.ask(_RECEIVER, method, path, request.body, _BODY_TIMEOUT)
            except NoAnswerError as error:
                text = f"worker {_RECEIVER} {error}"
                return Answer.json({"refused": text, "error": text}, 503)
            return Answer(answer.status, answer.body, answer.content_type)

        return handle

    async def ready(_: AdminRequest) -> Answer:
        answers = await _ask_all(supervisor, "GET", "/ready")
        reasons = [answer.body.decode().strip() for answer in answers.values()]
        if any(answer.status == 200 for answer in answers.values()):
            return Answer.text("ready")
        return Answer.text(reasons[0] if reasons else "not ready: no worker answers", 503)

    async def metrics(_: AdminRequest) -> Answer:
        answers = await _ask_all(supervisor, "GET", "/metrics")
        texts = {number: answer.body.decode() for number, answer in answers.items() if answer.status == 200}
        own = generate_latest(supervisor.registry)
        return Answer(200, merge.metrics(texts).encode() + own, CONTENT_TYPE_LATEST)

    ordered = asked("POST", "/orders", merge.order)

    async def give(request: AdminRequest) -> Answer:
        # One number for all workers; that of a worker's own order grows in the same way, and is never so even.
        try:
            wanted = {**json.loads(bytes(request.body)), "number": int(time.time() * 1000) << 20}
        except (ValueError, TypeError) as error:
            return Answer.json({"error": f"the body must be an order as JSON: {error}"}, 400)
        numbered = AdminRequest(request.parameters, bytearray(json.dumps(wanted).encode()), request.peer)
        return await ordered(numbered)

    own: Handlers = {
        ("GET", "/ready"): ready,
        ("GET", "/health"): lambda _: Answer.text("ok"),
        ("GET", "/metrics"): metrics,
        ("GET", "/build"): lambda _: Answer.json({"version": build.version, "release": build.release}),
        ("GET", "/workers"): lambda _: Answer.json({"workers": supervisor.facts()}),
        ("GET", "/queue"): asked("GET", "/queue", merge.queue),
        ("GET", "/queue/top"): asked("GET", "/queue/top", merge.top),
        ("GET", "/message"): asked("GET", "/message", merge.first, some=True),
        ("POST", "/flush"): asked("POST", "/flush", merge.total),
        ("GET", "/orders"): asked("GET", "/orders", merge.orders),
        ("POST", "/orders"): give,
        ("POST", "/orders/lift"): asked("POST", "/orders/lift", merge.order, some=True),
        ("POST", "/rebind"): asked("POST", "/rebind", merge.total),
        ("GET", "/drain"): asked("GET", "/drain", merge.drain),
        ("POST", "/drain"): asked("POST", "/drain", merge.drain),
        ("DELETE", "/drain"): asked("DELETE", "/drain", merge.drain),
        ("POST", "/drain/take-back"): asked("POST", "/drain/take-back", merge.drain, some=True),
        ("GET", "/spool/receive"): one("GET", "/spool/receive"),
        ("POST", "/spool/receive"): one("POST", "/spool/receive"),
        ("POST", "/spool/withdraw"): one("POST", "/spool/withdraw"),
    }
    return admin_routes(own, version=build.version, max_batch=max_batch)


async def _ask_all(
    supervisor: "Supervisor", method: str, path: str, body: bytes | bytearray = b""
) -> dict[int, WorkerAnswer]:
    """The answers of the workers that answer, by number."""
    timeout = _BODY_TIMEOUT if body else _TIMEOUT
    numbers = supervisor.workers
    found = await asyncio.gather(
        *(supervisor.ask(number, method, path, body, timeout) for number in numbers), return_exceptions=True
    )
    return {number: item for number, item in zip(numbers, found, strict=True) if isinstance(item, WorkerAnswer)}


def _first_refusal(supervisor: "Supervisor", answers: dict[int, WorkerAnswer]) -> Answer:
    for number, answer in answers.items():
        if answer.status != 200:
            said = json.loads(answer.body) if answer.content_type.startswith("application/json") else {}
            return Answer.json({**said, "error": f"worker {number}: {said.get('error', answer.status)}"}, answer.status)
    silent = ", ".join(str(number) for number in supervisor.workers if number not in answers)
    return Answer.json({"error": f"worker {silent} doesn't answer: try again"}, 503)

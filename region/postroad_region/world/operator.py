"""The world's HTTP interface, for operators, tests and monitoring."""

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import ValidationError

from postroad_region.world.definition import FeedbackLoop, Incident, check_incident, fault
from postroad_region.world.definition.values import seconds
from postroad_region.world.http import BadRequestError, Request, Response
from postroad_region.world.internet import Internet
from postroad_region.world.ledger import Position
from postroad_region.world.metrics import exposition
from postroad_region.world.verdict import Query

_LISTING_KEYS = frozenset({"provider", "verdict", "campaign", "batch", "source", "since", "after"})

log = structlog.get_logger()


class Operator:
    """What the interface answers.

    * `GET /health`
    * `GET /counts`: verdicts by provider and source, copies accepted by batch
    * `GET /messages?provider=&verdict=&batch=&campaign=&source=&since=&after=`: a line of JSON for each verdict; the
      header `Ledger-Position` is what to give as `after` next time
    * `GET /sends/<batch>`: what became of one batch of `make send`
    * `GET /metrics`: Prometheus text
    * `GET /providers`: hosts, limits and load of each
    * `GET /reputation`: what each thinks of each source
    * `GET /incidents`, `POST /incidents` (an incident as JSON or in the query), `DELETE /incidents/<id>`
    * `GET /clock`, `POST /clock?day=<real seconds>&advance=<span>`
    * `GET /outbound`: bounces and complaint reports
    * `GET /feedback-loops`, `POST /feedback-loops?domain=&address=`
    * `POST /reset`
    """

    def __init__(self, internet: Internet) -> None:
        self._internet = internet
        self._names = [each.name for each in internet.world.providers]

    async def respond(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            BadRequestError: it is asked in a wrong way.
        """
        internet = self._internet
        match request.method, request.path.split("/")[1:]:
            case "GET", ["health"]:
                return Response(content={"ready": True, "providers": self._names})
            case "GET", ["counts"]:
                return Response(content=internet.ledger.counts.table(self._names))
            case "GET", ["messages"]:
                return self._messages(request.query)
            case "GET", ["sends", batch] if batch:
                return Response(content=await internet.batches.summary(batch))
            case "GET", ["metrics"]:
                return Response(text=exposition(internet))
            case "GET", ["providers"]:
                return Response(content=self._providers())
            case "GET", ["reputation"]:
                return Response(content=internet.reputation())
            case "GET" | "POST" | "DELETE", ["incidents", *rest]:
                return self._incidents(request, rest)
            case "GET" | "POST", ["clock"]:
                return self._clock(request)
            case "GET", ["outbound"]:
                return Response(content=self._outbound())
            case "GET" | "POST", ["feedback-loops"]:
                return self._feedback_loops(request)
            case "POST", ["reset"]:
                internet.reset()
                log.info("reset")
                return Response(content={"reset": True})
        return Response(HTTPStatus.NOT_FOUND, {"error": f"{request.method} {request.path}: there is no such thing"})

    def _messages(self, given: dict[str, str]) -> Response:
        ledger = self._internet.ledger
        wanted, after = query(given)
        position = str(ledger.position())
        return Response(lines=self._lines(wanted, after), headers={"Ledger-Position": position})

    async def _lines(self, wanted: Query, after: Position | None) -> AsyncIterator[bytes]:
        for page in self._internet.ledger.pages(wanted, after=after):
            if page:
                yield b"".join(verdict.line() for verdict in page)
            await asyncio.sleep(0)

    def _providers(self) -> dict[str, Any]:
        internet = self._internet
        listens = internet.hosts()
        connections = internet.connections()
        return {
            provider.name: {
                "domains": provider.domains,
                "hosts": {
                    mx.host: {
                        "address": mx.address,
                        "preference": mx.preference,
                        "tls": provider.tls_of(mx),
                        "dane": provider.dane_of(mx),
                        "listens": listens[provider.name, mx.host],
                    }
                    for mx in provider.mx
                },
                "mta_sts": provider.mta_sts.mode if provider.mta_sts else None,
                "limits": provider.limits.model_dump(exclude_none=True),
                "reputation": provider.reputation is not None,
                "greylist": provider.greylist is not None,
                "checks": provider.checks.model_dump(),
                "connections": connections[provider.name],
                "incidents": [
                    each.id for each in internet.incidents.running() if each.incident.provider in (None, provider.name)
                ],
            }
            for provider in internet.world.providers
        }

    def _incidents(self, request: Request, rest: list[str]) -> Response:
        incidents = self._internet.incidents
        match request.method, rest:
            case "GET", []:
                change = incidents.next_change()
                next_change = None if change == float("inf") else change
                running = [each.as_dict() for each in incidents.running()]
                return Response(content={"running": running, "next_change": next_change})
            case "POST", []:
                begun = incidents.begin(self._incident(request))
                log.info("incident", **begun.as_dict())
                return Response(content=begun.as_dict())
            case "DELETE", [name] if name:
                if not incidents.end(name):
                    return Response(HTTPStatus.NOT_FOUND, {"error": f"no incident {name} was begun by an operator"})
                return Response(content={"ended": name})
        return Response(HTTPStatus.NOT_FOUND, {"error": f"{request.method} {request.path}: there is no such thing"})

    def _incident(self, request: Request) -> Incident:
        given: dict[str, Any] = dict(request.query)
        if "sources" in given:
            given["sources"] = [each for each in given["sources"].split(",") if each]
        if request.body:
            try:
                parsed = json.loads(request.body)
            except ValueError:
                raise BadRequestError("the body is no JSON") from None
            if not isinstance(parsed, dict):
                raise BadRequestError("the body is no JSON object")
            given |= parsed
        try:
            incident = Incident.model_validate(given)
            check_incident(self._internet.world, incident)
        except ValidationError as error:
            raise BadRequestError("; ".join(fault(each) for each in error.errors())) from None
        except ValueError as error:
            raise BadRequestError(str(error)) from None
        return incident

    def _clock(self, request: Request) -> Response:
        clock = self._internet.clock
        if request.method == "POST":
            if unknown := request.query.keys() - {"day", "advance"}:
                raise BadRequestError(f"{sorted(unknown)[0]} is none of advance, day")
            try:
                if "day" in request.query:
                    clock.set_day(seconds(request.query["day"]))
                if "advance" in request.query:
                    clock.advance(seconds(request.query["advance"]))
            except ValueError as error:
                raise BadRequestError(f"{error}") from None
            self._internet.clock_changed()
        now = clock.now()
        return Response(content={"now": now, "day": clock.day, "began": clock.began, "since": now - clock.began})

    def _outbound(self) -> dict[str, Any]:
        courier = self._internet.courier
        outcomes: dict[str, dict[str, dict[str, int]]] = {}
        for (provider, kind, outcome), count in sorted(courier.outcomes.items()):
            outcomes.setdefault(provider, {}).setdefault(kind, {})[outcome] = count
        return {
            "queued": len(courier.queue),
            "next_due": courier.queue.next_due(),
            "dropped": self._internet.aftermath.dropped,
            "outcomes": outcomes,
        }

    def _feedback_loops(self, request: Request) -> Response:
        loops = self._internet.aftermath.loops
        if request.method == "POST":
            try:
                loop = FeedbackLoop.model_validate(request.query)
            except ValidationError as error:
                raise BadRequestError("; ".join(fault(each) for each in error.errors())) from None
            loops.register(loop)
        return Response(content=[each.model_dump() for each in loops.all()])


def query(given: dict[str, str]) -> tuple[Query, Position | None]:
    """What `/messages` is asked for.

    Raises:
        BadRequestError: a key isn't known, or a value isn't one.
    """
    if unknown := given.keys() - _LISTING_KEYS:
        raise BadRequestError(f"{sorted(unknown)[0]} is none of {', '.join(sorted(_LISTING_KEYS))}")
    try:
        since = float(given["since"]) if "since" in given else None
    except ValueError:
        raise BadRequestError(f"since: {given['since']!r} is no number of seconds since the epoch") from None
    try:
        after = Position.parse(given["after"]) if "after" in given else None
    except ValueError as error:
        raise BadRequestError(f"after: {error}") from None
    texts = {name: value for name, value in given.items() if name not in ("since", "after")}
    return Query(**texts, since=since), after

"""`postroad suspend|bounce|orders|lift|rebind|message|top`: queued mail, looked at and ordered about."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from postroad.admin.client import AdminClient
from postroad.settings.units import parse_duration

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Tenant = Annotated[str | None, typer.Option(help="Mail of this tenant.")]
Campaign = Annotated[str | None, typer.Option(help="Mail of this campaign.")]
Domain = Annotated[str | None, typer.Option(help="Mail to this domain.")]
Site = Annotated[str | None, typer.Option(help="Mail to this set of mail hosts, as `postroad queue` names it.")]
Source = Annotated[str | None, typer.Option(help="Mail that can leave only from this source.")]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 30m, 4h, 2d.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks later.")]


def suspend(
    reason: Reason,
    duration: For = "1h",
    tenant: Tenant = None,
    campaign: Campaign = None,
    domain: Domain = None,
    site: Site = None,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Let mail wait until the order ends or is lifted; that counts as no attempt."""
    scope = {"tenant": tenant, "campaign": campaign, "domain": domain, "site": site, "source": source}
    _give("suspend", scope, reason, duration, as_json)


def bounce(
    reason: Reason,
    duration: For = "10m",
    tenant: Tenant = None,
    campaign: Campaign = None,
    domain: Domain = None,
    site: Site = None,
    source: Source = None,
    silently: Annotated[bool, typer.Option("--silently", help="Tell the log only, not the senders.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let mail fail now, and what comes until the order ends; its senders are told as of any failure."""
    scope = {"tenant": tenant, "campaign": campaign, "domain": domain, "site": site, "source": source}
    _give("discard" if silently else "bounce", scope, reason, duration, as_json)


def orders(as_json: AsJson = False) -> None:
    """The orders that stand."""
    data = AdminClient().ask("GET", "/orders")
    if as_json:
        print(json.dumps(data, indent=2))
        return
    table = Table("order", "does", "with mail of", "until", "reason")
    for order in data["orders"]:
        table.add_row(order["id"], order["action"], _scope_of(order), _moment(order["until"]), order["reason"])
    Console().print(table)


def lift(id: Annotated[str, typer.Argument(help="As `postroad orders` shows it.")], as_json: AsJson = False) -> None:
    """End an order; what it suspended is due now."""
    data = AdminClient().ask("POST", "/orders/lift", {"id": id.lower()})
    _tell(data, as_json, f"{_deliveries(data['due'])} due now; next: postroad queue")


def rebind(
    tenant: Tenant = None,
    campaign: Campaign = None,
    domain: Domain = None,
    site: Site = None,
    to_tenant: Annotated[str | None, typer.Option(help='Its new tenant; "" for none.')] = None,
    to_campaign: Annotated[str | None, typer.Option(help='Its new campaign; "" for none.')] = None,
    as_json: AsJson = False,
) -> None:
    """Give queued mail another tenant or campaign, look its route up anew, and make it due."""
    body = {"tenant": tenant, "campaign": campaign, "domain": domain, "site": site}
    data = AdminClient().ask("POST", "/rebind", {**body, "to_tenant": to_tenant, "to_campaign": to_campaign})
    count = data["messages"]
    _tell(data, as_json, f"{count} message{'s' * (count != 1)} rebound; next: postroad queue")


def message(id: Annotated[str, typer.Argument(help="That of the 250.")], as_json: AsJson = False) -> None:
    """Where a queued message is, and what became of it so far."""
    data = AdminClient().ask("GET", f"/message?id={id}")
    if as_json:
        print(json.dumps(data, indent=2))
        return
    console = Console()
    of = " ".join(f"{name} {data[name]}" for name in ("tenant", "campaign") if data[name])
    age = timedelta(seconds=round(data["age_seconds"]))
    console.print(f"{data['id']} from <{data['sender']}>, {data['size']} octets, {age} old {of}".rstrip(), markup=False)
    table = Table("recipients", "state", "attempts", "next in", "site", "last reply")
    for item in data["deliveries"]:
        state = f"{item['state']} by {item['order']}" if item["order"] else item["state"]
        wait = str(timedelta(seconds=round(item["next_attempt_in"])))
        site = item["site"] or "not looked up"
        table.add_row("\n".join(item["recipients"]), state, str(item["attempts"]), wait, site, item["last_reply"])
    if data["finished"]:
        table.add_row("\n".join(data["finished"]), "finished", "", "", "", "")
    console.print(table)


def top(
    by: Annotated[str, typer.Option(help="queue, tenant, campaign, domain or reply.")] = "domain",
    first: Annotated[str, typer.Option(help="count: the most first; age: the oldest.")] = "count",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What waits for its time, summed up."""
    data = AdminClient().ask("GET", f"/queue/top?by={by}&first={first}&limit={limit}")
    if as_json:
        print(json.dumps(data, indent=2))
        return
    table = Table(by, "deliveries", "recipients", "oldest", "next attempt in", "last reply")
    for row in data["queues"]:
        name = " ".join(part or "-" for part in row["name"])
        times = [str(timedelta(seconds=round(row[key]))) for key in ("oldest_seconds", "next_attempt_in")]
        table.add_row(name, str(row["deliveries"]), str(row["recipients"]), *times, row["last_reply"])
    Console().print(table)


def _give(action: str, scope: dict[str, str | None], reason: str, duration: str, as_json: bool) -> None:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(f"--for must be {error}") from None
    data = AdminClient().ask("POST", "/orders", {"action": action, **scope, "reason": reason, "seconds": seconds})
    order = data["order"]
    done = "suspended" if action == "suspend" else "stopped"
    text = f"order {order['id']} until {_moment(order['until'])}: {_deliveries(data['stopped'])} {done} at once"
    _tell(data, as_json, f"{text}; next: postroad orders")


def _tell(data: Any, as_json: bool, text: str) -> None:
    print(json.dumps(data, indent=2) if as_json else text)


def _deliveries(count: int) -> str:
    return f"{count} delivery is" if count == 1 else f"{count} deliveries are"


def _scope_of(order: dict[str, Any]) -> str:
    names = ("tenant", "campaign", "domain", "site", "source")
    return " ".join(f"{name}={order[name]}" for name in names if order[name] is not None)


def _moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

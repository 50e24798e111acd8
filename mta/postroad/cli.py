"""`postroad`: the operator's command."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from postroad.admin.client import AdminClient, AdminError
from postroad.drain.command import DrainError, drain
from postroad.spool.verify import verify_spool

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Look at a running MTA and at its spool; move it away."
)
spool_app = typer.Typer(no_args_is_help=True, help="Look at a spool folder.")
app.add_typer(spool_app, name="spool")
app.command()(drain)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def status(as_json: AsJson = False) -> None:
    """Which build runs, whether it takes mail, and how much is queued."""
    client = AdminClient()
    ready, text = client.ready()
    build = client.ask("GET", "/build")
    queue = client.ask("GET", "/queue")
    if as_json:
        _print_json({"admin": client.url, "ready": ready, "state": text, **build, "messages": queue["messages"]})
        return
    table = Table("MTA", "version", "release", "state", "messages", "oldest")
    table.add_row(
        client.url, build["version"], build["release"], text, str(queue["messages"]), _age(queue["oldest_seconds"])
    )
    Console().print(table)


@app.command()
def queue(as_json: AsJson = False) -> None:
    """What is queued: in all, by site (waiting for a connection) and by domain (waiting for its time)."""
    data = AdminClient().ask("GET", "/queue")
    if as_json:
        _print_json(data)
        return
    console = Console()
    console.print(
        f"{data['messages']} messages: {data['ready']} deliveries ready, {data['in_flight']} under way, "
        f"{data['scheduled']} waiting for their time; oldest {_age(data['oldest_seconds'])}"
    )
    if data["sites"]:
        sites = Table("site", "ready", "connections")
        for site in data["sites"]:
            sites.add_row(site["site"], str(site["ready"]), str(site["connections"]))
        console.print(sites)
    if data["domains"]:
        domains = Table("domain", "recipients", "next attempt in", "last reply")
        for item in data["domains"]:
            domains.add_row(item["domain"], str(item["recipients"]), _age(item["next_attempt_in"]), item["last_reply"])
        console.print(domains)


@app.command()
def flush(as_json: AsJson = False) -> None:
    """Make everything due now."""
    data = AdminClient().ask("POST", "/flush")
    if as_json:
        _print_json(data)
    else:
        print(f"{data['made_due']} deliveries are due now; next: postroad queue")


@spool_app.command("verify")
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder that [spool] path names.")], as_json: AsJson = False
) -> None:
    """Read a whole spool and check every record; nothing is changed. Exits with 1 if anything is damaged."""
    report = verify_spool(folder)
    if as_json:
        _print_json(report.as_dict())
    else:
        table = Table("segments", "octets", "records", "open messages", "open recipients", "damaged")
        table.add_row(
            *(
                str(number)
                for number in (
                    report.segments,
                    report.octets,
                    report.records,
                    report.messages,
                    report.recipients,
                    len(report.damage),
                )
            )
        )
        console = Console()
        console.print(table)
        for damage in report.damage:
            console.print(damage, highlight=False)
        if report.damage:
            console.print("Damaged octets are copied to damaged/ when the MTA starts; nothing is deleted.")
    if report.damage:
        raise typer.Exit(1)


def main() -> int:
    """Run the command; its exit status."""
    try:
        app()
    except (AdminError, DrainError, OSError) as error:
        print(f"postroad: {error}", file=sys.stderr)
        return 1
    return 0


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

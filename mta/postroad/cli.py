"""`postroad`: the operator's command."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from postroad.admin.client import AdminClient, AdminError
from postroad.admin.command import bounce, lift, message, orders, rebind, suspend, top
from postroad.drain.command import DrainError, drain
from postroad.spool.command import spool_app

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(spool_app, name="spool")
app.command()(drain)
for command in (suspend, bounce, orders, lift, rebind, message, top):
    app.command()(command)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _file(variable: str, text: str) -> Any:
    return typer.Option(metavar="FILE", envvar=variable, help=text)


@app.callback()
def main_options(
    cert: Annotated[Path | None, _file("POSTROAD_CERT", "Client certificate for an admin port with TLS (PEM).")] = None,
    key: Annotated[Path | None, _file("POSTROAD_KEY", "Its key, if that is in another file.")] = None,
    ca: Annotated[
        Path | None, _file("POSTROAD_CA", "Authorities of the port's certificate; else the system's.")
    ] = None,
) -> None:
    """Look at a running MTA and at its spool; move it away. POSTROAD_ADMIN says which: http[s]://HOST:PORT."""
    for variable, file in (("POSTROAD_CERT", cert), ("POSTROAD_KEY", key), ("POSTROAD_CA", ca)):
        if file is not None:
            os.environ[variable] = str(file)


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

"""`postroad spool`: a spool folder looked at and mended, without an MTA."""

import itertools
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from postroad.spool.errors import UnreadableError
from postroad.spool.inspect import Wanted, as_dict, content_of, inspect_spool
from postroad.spool.lock import SpoolInUseError
from postroad.spool.message import Message
from postroad.spool.repair import repair_spool
from postroad.spool.verify import verify_spool

spool_app = typer.Typer(no_args_is_help=True, help="Look at a spool folder, and mend it.")

Folder = Annotated[Path, typer.Argument(help="The folder that [spool] path names.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@spool_app.command()
def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Read a whole spool and check every record; nothing is changed. Exits with 1 if anything is damaged."""
    report = verify_spool(folder)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        table = Table("segments", "octets", "records", "open messages", "open recipients", "damaged")
        numbers = (report.segments, report.octets, report.records, report.messages, report.recipients)
        table.add_row(*map(str, (*numbers, len(report.damage))))
        console = Console()
        console.print(table)
        for damage in report.damage:
            console.print(damage, highlight=False)
        if report.damage:
            console.print(
                "Damaged octets are copied to damaged/ when the MTA starts; nothing is deleted. "
                f"To take them out of the log: stop the MTA, then postroad spool repair {folder}"
            )
    if report.damage:
        raise typer.Exit(1)


@spool_app.command()
def inspect(
    folder: Folder,
    id: Annotated[str | None, typer.Argument(help="The id of one message, as its 250 said.")] = None,
    domain: Annotated[str | None, typer.Option(help="Only messages with an open recipient there.")] = None,
    tenant: Annotated[str | None, typer.Option(help='Only messages of this tenant; "" for those of none.')] = None,
    content: Annotated[bool, typer.Option("--content", help="Print the message itself; needs an id.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Messages to list at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what is queued in a spool: envelopes, attempts, when each is due and why it waits; nothing is changed."""
    if content and id is None:
        raise typer.BadParameter("--content prints one message: name its id")
    messages = inspect_spool(folder, Wanted(id, domain, tenant))
    listed = list(itertools.islice(messages, limit))
    more = sum(1 for _ in messages)
    if id is not None and not listed:
        print(f"postroad: {folder} holds no message {id}: it is finished, or was never here", file=sys.stderr)
        raise typer.Exit(1)
    if content:
        _print_content(folder, listed[0])
    elif as_json:
        print(json.dumps({"messages": [as_dict(message) for message in listed], "more": more}, indent=2))
    else:
        _print_table(listed, more)


@spool_app.command()
def repair(folder: Folder, as_json: AsJson = False) -> None:
    """Make a damaged spool whole; the MTA must be stopped. What can't be parsed is kept in damaged/."""
    try:
        report = repair_spool(folder)
    except SpoolInUseError as error:
        print(f"postroad: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps({"done": report.done, "left": report.left}, indent=2))
        return
    for line in (*report.done, *report.left):
        print(line)
    done = len(report.done)
    print(f"{done} repaired; start the MTA" if done else "nothing to repair; start the MTA")


def _print_content(folder: Path, message: Message) -> None:
    try:
        octets = content_of(folder, message)
    except UnreadableError as error:
        print(f"postroad: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    sys.stdout.buffer.write(octets)
    sys.stdout.buffer.flush()


def _print_table(messages: list[Message], more: int) -> None:
    now = time.time()
    table = Table("id", "age", "tenant", "from", "to", "size", "attempts", "next attempt in", "last reply")
    for message in messages:
        head = (
            message.queue_id,
            _age(now - message.received),
            message.tenant,
            message.sender.decode("utf-8", "replace"),
        )
        for delivery in message.deliveries:
            to = ", ".join(address.decode("utf-8", "replace") for address in delivery.addresses)
            due = _age(max(0.0, delivery.due - now))
            table.add_row(*head, to, str(message.size), str(delivery.attempts), due, delivery.reply)
    console = Console()
    console.print(table)
    if more:
        console.print(f"{more} more: narrow it by --domain or --tenant, or raise --limit")


def _age(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))

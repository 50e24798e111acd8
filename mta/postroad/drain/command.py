"""`postroad drain`: begin, watch and end a drain."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from postroad.admin.client import AdminClient, UnreachableError
from postroad.drain.watch import Watcher
from postroad.settings.units import parse_duration

SAFE = "safe to terminate: 0 messages in the spool, no sessions"
_POLL = 0.5
_PATIENCE = 60.0
"""Seconds that the MTA may be away, as in a restart."""


class DrainError(RuntimeError):
    """The host must not be terminated; the text says why and what to do."""


def drain(
    to: Annotated[
        list[str] | None, typer.Option(metavar="HOST[:PORT]", help="An MTA that takes over; repeat it for several.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Stay until the host may be terminated.")] = True,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Give up waiting after so long; the drain goes on.")
    ] = "1h",
    status: Annotated[
        bool, typer.Option("--status", help="Only tell how far it is; exits with 1 until it is safe.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the drain: take mail and deliver again.")] = False,
    take_back: Annotated[
        str | None,
        typer.Option(
            metavar="HOST[:PORT]",
            help="Deliver from here what was offered to a target that is gone for good. What it had taken and still "
            "delivers arrives twice.",
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Bearer token of the admin port.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Move everything queued to other MTAs, and say when this host may be terminated.

    Interrupted, run it again: nothing is lost, nothing is moved twice.
    """
    client = AdminClient(token_file)
    seconds = _seconds(timeout)
    chosen = [bool(to), status, cancel, take_back is not None]
    if sum(chosen) != 1:
        raise typer.BadParameter("name one of --to HOST, --status, --cancel, --take-back HOST")
    if cancel:
        _tell(client.ask("DELETE", "/drain"), as_json, "the drain is cancelled; next: postroad status")
    elif take_back is not None:
        data = client.ask("POST", "/drain/take-back", {"target": take_back})
        _tell(data, as_json, f"{data['taken_back']} messages are delivered from here; next: postroad drain --status")
    elif status:
        _show(client.ask("GET", "/drain"), as_json)
    else:
        data = client.ask("POST", "/drain", {"targets": to})
        if wait:
            _wait(client, seconds, as_json)
        else:
            _tell(data, as_json, f"{data['messages']} messages to move; next: postroad drain --status")


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise typer.BadParameter(f"--timeout must be {error}") from None


def _tell(data: Any, as_json: bool, text: str) -> None:
    print(json.dumps(data, indent=2) if as_json else text)


def _wait(client: AdminClient, seconds: float, as_json: bool) -> None:
    """Watch until it is safe.

    Raises:
        DrainError: it isn't in time, or somebody ended the drain.
    """
    with Watcher(Console(stderr=as_json), clock=time.monotonic) as watcher:
        data: Any = {}
        for data in _states(client, seconds, time.monotonic):
            watcher.show(data)
            if data["safe"]:
                break
            if not data["draining"]:
                raise DrainError(f"{client.url}: somebody cancelled the drain: do not terminate; begin it again")
            time.sleep(_POLL)
    if as_json:
        print(json.dumps(data, indent=2))
    if not data["safe"]:
        raise DrainError(
            f"{client.url}: not safe to terminate after {seconds:g} s: {'; '.join(data['waiting_for'])}: "
            "the drain goes on, run the command again or name another target with --to"
        )
    if not as_json:
        print(SAFE)


def _states(client: AdminClient, seconds: float, clock: Callable[[], float]) -> Iterator[Any]:
    """What the MTA says, until time is up; it may be away for a while, and must have said something once."""
    began = last = clock()
    while True:
        try:
            data = client.ask("GET", "/drain")
        except UnreachableError:
            if clock() - last > _PATIENCE:
                raise
            time.sleep(_POLL)
            continue
        last = clock()
        yield data
        if clock() - began > seconds:
            return


def _show(data: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(data, indent=2))
    else:
        console = Console()
        if data["targets"]:
            table = Table("target", "state", "moved", "reason")
            for target in data["targets"]:
                table.add_row(target["address"], target["state"], str(target["moved"]), target["reason"])
            console.print(table)
        print(SAFE if data["safe"] else f"not safe to terminate: {'; '.join(data['waiting_for'])}")
    if not data["safe"]:
        raise typer.Exit(1)

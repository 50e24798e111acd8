"""What the commands of both daemons have in common: `run` and `check`, and how they fail."""

import argparse
import gc
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from postroad.build import this_build
from postroad.content.key_error import KeyFileError
from postroad.listen import ListenError
from postroad.settings.load import SettingsError
from postroad.spool.errors import SpoolError
from postroad.spool.lock import SpoolInUseError
from postroad.systemd import SystemdError

EXIT_CONFIG = 78
"""EX_CONFIG: the configuration can't be used."""

S = TypeVar("S")


def run_daemon(
    name: str,
    description: str,
    load: Callable[[Path], tuple[S, list[str]]],
    serve: Callable[[S], Coroutine[Any, Any, None]],
    arguments: list[str] | None,
    *,
    more: Mapping[str, tuple[str, Callable[[], int]]] | None = None,
) -> int:
    """Run `NAME run|check --config FILE`; the exit status. What is wrong is told in one line a problem.

    Args:
        load: the settings of a file, and what of them works and shouldn't be so.
        more: further commands, with what they do, and the function that does it.
    """
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--version", action="version", version=f"%(prog)s {this_build().version}")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (("run", "serve until SIGTERM"), ("check", "check the configuration, start nothing")):
        options = commands.add_parser(command, help=text, description=text)
        options.add_argument("--config", type=Path, required=True, metavar="FILE")
    for command, (text, _) in (more or {}).items():
        commands.add_parser(command, help=text, description=text)
    chosen = parser.parse_args(arguments)
    if more and chosen.command in more:
        return more[chosen.command][1]()
    try:
        settings, warnings = load(chosen.config)
        for warning in warnings:
            print(f"{chosen.config}: warning: {warning}", file=sys.stderr)
        if chosen.command == "check":
            print(f"{chosen.config}: good")
            return 0
        settle_collector()
        uvloop.run(serve(settings))
    except (SettingsError, KeyFileError) as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except (SpoolInUseError, SpoolError, ListenError, SystemdError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


def settle_collector() -> None:
    """Have the garbage collector look at new objects, and seldom.

    A queue is many objects that stay, and hardly any cycles: at the interpreter's own thresholds the collector took 4 %
    of the processor while 60,000 messages were queued, and held everything up for 200 ms at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 5, 10)

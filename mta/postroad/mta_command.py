"""`postroad-mta run|check --config FILE`."""

import argparse
import sys
from pathlib import Path

import uvloop

from postroad.build import this_build
from postroad.content.dkim import DkimKeyError
from postroad.events.log import configure, logger
from postroad.listen import ListenError
from postroad.mta import Mta, load_keys
from postroad.settings.load import SettingsError, load
from postroad.settings.mta import MtaSettings
from postroad.spool.lock import SpoolInUseError
from postroad.systemd import SystemdError

EXIT_CONFIG = 78
"""EX_CONFIG."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(prog="postroad-mta", description="Postroad's MTA.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {this_build().version}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("run", "serve until SIGTERM"), ("check", "check the configuration, start nothing")):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        settings = load(MtaSettings, options.config)
        if options.command == "check":
            load_keys(settings)
            print(f"{options.config}: good")
            return 0
        configure()
        uvloop.run(_run(settings))
    except (SettingsError, DkimKeyError) as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except (SpoolInUseError, ListenError, SystemdError, OSError) as error:
        print(f"postroad-mta: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: MtaSettings) -> None:
    await Mta(settings, logger()).run()


if __name__ == "__main__":
    sys.exit(main())

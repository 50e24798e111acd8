"""`python -m postroad_region.world`: `run` is the world in the foreground, `check` looks at a file."""

import argparse
import sys
from pathlib import Path

import structlog
import uvloop

from postroad_region.errors import RegionError
from postroad_region.paths import paths
from postroad_region.world.definition import DEFAULT_FILE, load_world, provider_zones
from postroad_region.world.server import run


def main() -> int:
    """Parse the arguments and run; 1 with a line on standard error for a fault."""
    parser = argparse.ArgumentParser(prog="python -m postroad_region.world", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="take mail for every provider of the file, on port 25 of its addresses")
    running.add_argument("--file", type=Path, default=DEFAULT_FILE, help="the world's YAML")
    running.add_argument("--state", type=Path, required=True, help="folder for the ledger and certificates")
    running.add_argument("--ca", type=Path, default=paths().state / "ca", help="folder with ca.crt and ca.key")
    running.add_argument("--http", required=True, help="unix:PATH or HOST:PORT to answer on")
    running.add_argument("--dns", required=True, help="address of a resolver for SPF and DKIM")
    checking = commands.add_parser("check", help="say whether a world's file is right")
    checking.add_argument("--file", type=Path, default=DEFAULT_FILE, help="the world's YAML")
    arguments = parser.parse_args()
    if arguments.command == "check":
        return _check(arguments.file)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    try:
        uvloop.run(
            run(
                file=arguments.file,
                state=arguments.state,
                ca=arguments.ca,
                http=arguments.http,
                dns=arguments.dns,
            )
        )
    except (RegionError, OSError, ValueError) as error:
        print(f"world: {error}", file=sys.stderr)
        return 1
    return 0


def _check(file: Path) -> int:
    try:
        world = load_world(file)
    except RegionError as error:
        print(f"world: {error}", file=sys.stderr)
        return 1
    zones = len(provider_zones(world))
    print(f"{file}: {len(world.providers)} providers, {zones} zones, {len(world.incidents)} incidents")
    return 0


if __name__ == "__main__":
    sys.exit(main())

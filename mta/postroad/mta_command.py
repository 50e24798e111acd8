"""`postroad-mta run|check --config FILE`."""

import sys
from pathlib import Path

from postroad.daemon_command import run_daemon
from postroad.events.log import logger
from postroad.mta import Mta, load_keys
from postroad.settings.load import load
from postroad.settings.mta import MtaSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    return run_daemon("postroad-mta", "Postroad's MTA.", load_mta, serve, arguments)


def load_mta(path: Path) -> MtaSettings:
    """The settings of a file, with the key files that it names. Raises SettingsError, KeyFileError."""
    settings = load(MtaSettings, path)
    load_keys(settings)
    return settings


async def serve(settings: MtaSettings) -> None:
    """Run an MTA until it is told to stop."""
    await Mta(settings, logger()).run()


if __name__ == "__main__":
    sys.exit(main())

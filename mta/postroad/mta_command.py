"""`postroad-mta run|check --config FILE`."""

import sys
from pathlib import Path

from postroad.daemon_command import run_daemon
from postroad.events.log import logger
from postroad.listen import Ports, open_ports
from postroad.mta import Mta, load_keys
from postroad.settings.load import load
from postroad.settings.mta import MtaSettings
from postroad.workers.partition import left_over
from postroad.workers.supervisor import Supervisor, WorkerFailedError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    try:
        return run_daemon("postroad-mta", "Postroad's MTA.", load_mta, serve, arguments)
    except WorkerFailedError as error:
        print(f"postroad-mta: {error}", file=sys.stderr)
        return error.status


def load_mta(path: Path) -> MtaSettings:
    """The settings of a file, with the key files that it names. Raises SettingsError, KeyFileError."""
    settings = load(MtaSettings, path)
    load_keys(settings)
    return settings


async def serve(settings: MtaSettings) -> None:
    """Run an MTA until it is told to stop."""
    if settings.workers > 1 or left_over(settings.spool.path, 1):
        await Supervisor(settings, logger()).run(_ports(settings))
    else:
        mta = Mta(settings, logger())
        await mta.run(_ports(settings))


def _ports(settings: MtaSettings) -> Ports:
    return open_ports((listener.address for listener in settings.listeners.values()), settings.admin.address)


if __name__ == "__main__":
    sys.exit(main())

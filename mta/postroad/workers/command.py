"""`python -m postroad.workers.command CHANNEL SETTINGS`: what a supervisor starts, with two descriptors."""

import socket
import sys

import uvloop

from postroad.content.key_error import KeyFileError
from postroad.daemon_command import EXIT_CONFIG, settle_collector
from postroad.events.log import logger
from postroad.settings.load import SettingsError
from postroad.spool.errors import SpoolError
from postroad.spool.lock import SpoolInUseError
from postroad.workers.handover import read_settings
from postroad.workers.worker import Worker


def main(channel: int, settings: int) -> int:
    """Run the worker; its exit status."""
    end = socket.socket(fileno=channel)
    end.setblocking(False)

    async def serve() -> None:
        await Worker(read_settings(settings), end, logger()).run()

    settle_collector()
    try:
        uvloop.run(serve())
    except (SettingsError, KeyFileError) as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except (SpoolInUseError, SpoolError, OSError) as error:
        print(f"postroad-mta: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))

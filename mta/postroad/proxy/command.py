"""`postroad-proxy run|check --config FILE`."""

import sys
from pathlib import Path

from postroad.daemon_command import run_daemon
from postroad.events.log import logger
from postroad.proxy.service import ProxyService
from postroad.settings.load import load
from postroad.settings.proxy import ProxySettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    return run_daemon("postroad-proxy", "Postroad's outbound proxy.", load_proxy, serve, arguments)


def load_proxy(path: Path) -> tuple[ProxySettings, list[str]]:
    """The settings of a file, and nothing to warn of. Raises SettingsError."""
    return load(ProxySettings, path), []


async def serve(settings: ProxySettings) -> None:
    """Run a proxy until it is told to stop."""
    await ProxyService(settings, logger()).run()


if __name__ == "__main__":
    sys.exit(main())

"""`postroad-mta run|check --config FILE`, and `postroad-mta hash-password`."""

import getpass
import sys
from pathlib import Path

from postroad.daemon_command import run_daemon
from postroad.events.log import logger
from postroad.ingress.entrance import check_files
from postroad.mta import Mta, load_keys
from postroad.settings.load import load
from postroad.settings.mta import MtaSettings
from postroad.smtp.sasl import MAX_FIELD
from postroad.tenants.passwords import PasswordHash


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    more = {"hash-password": ("make what a line of the [auth] file ends with, of a password on stdin", hash_password)}
    return run_daemon("postroad-mta", "Postroad's MTA.", load_mta, serve, arguments, more=more)


def hash_password() -> int:
    """Print the hash of a password that is read from standard input; asked for twice where that is a terminal."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            print("postroad-mta: the two differ; try again", file=sys.stderr)
            return 1
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not 0 < len(password.encode()) <= MAX_FIELD:
        print(f"postroad-mta: a password has 1 to {MAX_FIELD} octets: give one on standard input", file=sys.stderr)
        return 1
    print(PasswordHash.of(password))
    return 0


def load_mta(path: Path) -> MtaSettings:
    """The settings of a file, with the other files that it names. Raises SettingsError, KeyFileError."""
    settings = load(MtaSettings, path)
    load_keys(settings)
    check_files(settings)
    return settings


async def serve(settings: MtaSettings) -> None:
    """Run an MTA until it is told to stop."""
    await Mta(settings, logger()).run()


if __name__ == "__main__":
    sys.exit(main())

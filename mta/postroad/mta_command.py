"""`postroad-mta run|check --config FILE`, and `postroad-mta hash-password`."""

import getpass
import sys
from pathlib import Path

from postroad.admin.access import admin_access
from postroad.admin.token import read_token
from postroad.daemon_command import run_daemon
from postroad.events.log import logger
from postroad.ingress.entrance import check_files
from postroad.listen import Ports, open_ports
from postroad.mta import Mta, drain_tls, load_keys
from postroad.settings.load import load
from postroad.settings.mta import MtaSettings
from postroad.smtp.sasl import MAX_FIELD
from postroad.tenants.passwords import PasswordHash
from postroad.workers.partition import left_over
from postroad.workers.supervisor import Supervisor, WorkerFailedError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    more = {"hash-password": ("make what a line of the [auth] file ends with, of a password on stdin", hash_password)}
    try:
        return run_daemon("postroad-mta", "Postroad's MTA.", load_mta, serve, arguments, more=more)
    except WorkerFailedError as error:
        print(f"postroad-mta: {error}", file=sys.stderr)
        return error.status


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


def load_mta(path: Path) -> tuple[MtaSettings, list[str]]:
    """The settings of a file, with the other files that it names; and what an operator should know of these.

    Raises:
        SettingsError, KeyFileError: they can't be used.
    """
    settings = load(MtaSettings, path)
    load_keys(settings)
    read_token(settings.drain.token_file)
    if (make_tls := drain_tls(settings)) is not None:
        make_tls()
    admin = admin_access(settings.admin).certificate
    warnings = check_files(settings) + (admin.warnings() if admin is not None else [])
    return settings, list(dict.fromkeys(warnings))


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

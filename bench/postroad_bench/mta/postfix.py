"""Postfix as Debian ships it, an instance of its own; with OpenDKIM as its milter where mail is signed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from postroad_ops.faults import OperationError

from postroad_bench.mta.packages import install
from postroad_bench.mta.server import (
    STOP_SECONDS,
    Server,
    Task,
    free_port,
    last_words,
    process,
    running,
    wait_for_greeting,
)

# The services of Postfix's own master.cf, none in a chroot, without those that deliver here.
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
meta_directory = /etc/postfix
mail_owner = postfix
myhostname = postfix.bench.test
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
"""
_OPENDKIM = """\
Syslog no
Mode s
Domain bench.test
Selector s
KeyFile {key}
RequireSafeKeys no
Canonicalization relaxed/relaxed
OversignHeaders From,To,Subject,Date,Message-ID
InternalHosts {hosts}
Socket inet:{port}@127.0.0.1
"""


class Postfix:
    """All settings at their defaults but for where it is and where mail goes.

    `Task.hold` puts every message on hold: it is accepted and synced, and no queue manager sees it. Its log goes to
    syslog; where a machine has none, that costs Postfix next to nothing.
    """

    name = "postfix"

    def missing(self) -> str | None:
        """Why it isn't here, once apt was asked."""
        return install("postfix")

    @contextlib.contextmanager
    def running(self, task: Task) -> Iterator[Server]:
        """An instance with configuration and queue of its own."""
        with contextlib.ExitStack() as stack:
            milter = None
            roots = []
            if task.key is not None:
                milter = free_port()
                roots.append(stack.enter_context(_opendkim(task, milter)))
            master = stack.enter_context(self._instance(task, milter))
            yield Server(task.port, [master, *roots])

    @contextlib.contextmanager
    def _instance(self, task: Task, milter: int | None) -> Iterator[int]:
        config, queue, data = (task.folder / name for name in ("config", "queue", "data"))
        for folder in (config, queue, data):
            folder.mkdir(mode=0o755)
        shutil.chown(data, "postfix", "postfix")
        main = _MAIN.format(queue=queue, data=data, sink=task.sink)
        if task.hold:
            main += "smtpd_recipient_restrictions = check_client_access static:HOLD, permit_mynetworks, reject\n"
        if milter is not None:
            main += f"smtpd_milters = inet:127.0.0.1:{milter}\nmilter_default_action = tempfail\n"
        (config / "main.cf").write_text(main)
        (config / "master.cf").write_text(_MASTER.format(port=task.port))
        log = task.folder / "postfix.log"
        try:
            _command(config, "start", log)
            pid = int((queue / "pid" / "master.pid").read_text())
            wait_for_greeting(task.port, name=self.name, log=log, pid=pid)
            yield pid
        finally:
            self._end(config, queue, log)

    def _end(self, config: Path, queue: Path, log: Path) -> None:
        pid_file = queue / "pid" / "master.pid"
        pid = int(pid_file.read_text()) if pid_file.exists() else 0
        if not pid or not running(pid):
            return
        _command(config, "abort", log)
        deadline = time.monotonic() + STOP_SECONDS
        while running(pid):
            if time.monotonic() > deadline:
                raise OperationError(f"postfix (process {pid}) doesn't end", remedy=f"run: kill -9 {pid}")
            time.sleep(0.02)


def _command(config: Path, verb: str, log: Path) -> None:
    with log.open("ab") as output:
        # Its own output goes to a terminal or a file: a pipe would stay open in the daemon.
        done = subprocess.run(
            ["postfix", "-c", str(config), verb], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, "MAIL_CONFIG": str(config)}, check=False,
        )  # fmt: skip
    if done.returncode:
        raise OperationError(f"`postfix -c {config} {verb}` failed: {last_words(log)}", remedy="try again")


@contextlib.contextmanager
def _opendkim(task: Task, port: int) -> Iterator[int]:
    assert task.key is not None
    if (why := install("opendkim")) is not None:
        raise OperationError(f"Postfix can't sign: {why}", remedy="install opendkim")
    config, hosts, log = (task.folder / f"opendkim.{kind}" for kind in ("conf", "hosts", "log"))
    hosts.write_text("127.0.0.0/8\n")
    config.write_text(_OPENDKIM.format(key=task.key, hosts=hosts, port=port))
    with process(["opendkim", "-f", "-x", str(config)], log=log, cwd=task.folder) as pid:
        deadline = time.monotonic() + STOP_SECONDS
        while not _listens(port):
            if time.monotonic() > deadline or not running(pid):
                raise OperationError(f"opendkim doesn't start: {last_words(log)}", remedy="try again")
            time.sleep(0.02)
        yield pid


def _listens(port: int) -> bool:
    wanted = f"0100007F:{port:04X}"
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(fields[1] == wanted and fields[3] == "0A" for fields in lines)

"""Processes that outlive the daemon which started them: servers of the region, one record file each.

The daemon may be killed at any moment. Its children go on, and the next daemon takes them up: a record (boot, process
id, start time, fingerprint of the command) says which process is meant, so that a reused process id is never taken
for it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from postroad_region.errors import RegionError

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SOCKET_PATH_LIMIT = 107
_LOG_LIMIT = 5_000_000
_LOCK_DESCRIPTOR = 9

# The child itself writes its record before it becomes the server, and lets go of the lock only then: whenever the
# parent is killed, the next one waits for the lock and finds the record.
_LAUNCHER = """
cd / || exit 126
started() { echo "${22}"; }
read -r stat < /proc/$$/stat && read -r boot < /proc/sys/kernel/random/boot_id || exit 126
record='{"pid": %d, "started": %d, "boot": "%s", "fingerprint": "%s"}\\n'
printf "$record" $$ "$(started $stat)" "$boot" "$2" > "$1.new" || exit 126
mv -f "$1.new" "$1" || exit 126
exec 9>&-
shift 2
exec "$@"
"""


class ProcessError(RegionError):
    """A server could not be started or stopped; the text names it, the reason and where its log is."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute.

    Args:
        argv: program and arguments; the program must stay in the foreground.
        prefix: put before `argv`, e.g. `ip netns exec NAME`; it must execute the rest in its own place (no fork).
        environment: beside PATH and LANG, all that the process gets; nothing is inherited.
        notify: the process says READY=1 on NOTIFY_SOCKET (sd_notify) when it serves; starting waits for that.
        fingerprint: whatever else a running process would have to be restarted for (e.g. a digest of its
            configuration).
    """

    argv: Sequence[str]
    prefix: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    notify: bool = False
    fingerprint: str = ""

    def digest(self) -> str:
        """Equal for commands between which a running process need not be restarted."""
        parts = [list(self.prefix), list(self.argv), sorted(self.environment.items()), self.notify, self.fingerprint]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one boot; equal identities are the same process, whatever ids were reused in between."""

    pid: int
    started: int
    boot: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    started: int


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(state=fields[0], started=int(fields[19]))


def _alive(identity: Identity) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(identity.pid, os.WNOHANG)
    stat = _stat(identity.pid)
    return stat is not None and stat.state not in "ZX" and stat.started == identity.started and identity.boot == _boot()


class Process:
    """One named server, at most one of it running, whoever started it.

    Args:
        name: names the record `<run_dir>/<name>.pid` and appears in errors.
        run_dir: made when missing; its files mean nothing after a reboot.
        log_file: standard output and error are appended to it; over 5 MB it becomes `<log_file>.1` at the next start.
    """

    def __init__(self, name: str, *, run_dir: Path, log_file: Path) -> None:
        self.name = name
        self.run_dir = run_dir.absolute()
        self.log_file = log_file.absolute()
        self._record = self.run_dir / f"{name}.pid"

    def running(self) -> Identity | None:
        """The process as recorded, if it is alive."""
        identity = self._recorded()
        return identity if identity is not None and _alive(identity) else None

    def ensure(self, command: Command, *, deadline: float = 15.0) -> bool:
        """Have exactly this command running; True if it had to be started.

        A process of another command (see `Command.digest`) is stopped first, and so is one that was left behind in a
        network namespace to which the prefix doesn't lead any more (deleted and made again). With `command.notify` the
        process serves when this returns; else it has been started.

        Raises:
            ProcessError: the prefix leads nowhere, or the process exited, or it didn't report ready within `deadline`
                seconds (then it is stopped again).
        """
        with self._lock() as lock:
            # A namespace's inode isn't given to another as long as a process is in it.
            fingerprint = f"{command.digest()}-{self._namespace(command.prefix)}"
            identity = self.running()
            if identity is not None and identity.fingerprint == fingerprint:
                return False
            self._stop(10.0)
            self._start(command, fingerprint, lock, deadline)
            return True

    def stop(self, *, deadline: float = 10.0) -> bool:
        """End the process and what it left of its own children: TERM, after `deadline` seconds KILL.

        True if there was one.

        Raises:
            ProcessError: it is still there (not even KILL ended it).
        """
        if not self.run_dir.exists():
            return False
        with self._lock():
            return self._stop(deadline)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the recorded process, never to another; False if it isn't running."""
        identity = self.running()
        return identity is not None and _send(identity, number)

    def _namespace(self, prefix: Sequence[str]) -> int:
        """The inode of the network namespace that a prefix enters."""
        match tuple(prefix):
            # The usual prefixes name a file; asking it costs no process, and `ensure` is called all the time.
            case ("ip", "netns", "exec", name):
                file = Path("/run/netns", name)
            case ("nsenter", option) if option.startswith("--net="):
                file = Path(option.removeprefix("--net="))
            case ():
                file = Path("/proc/self/ns/net")
            case _:
                return self._namespace_by_asking(prefix)
        try:
            return file.stat().st_ino
        except FileNotFoundError:
            raise ProcessError(f"{self.name}: there is no network namespace {file}") from None

    def _namespace_by_asking(self, prefix: Sequence[str]) -> int:
        asked = [*prefix, "stat", "--dereference", "--format=%i", "/proc/self/ns/net"]
        done = subprocess.run(asked, env={"PATH": _PATH}, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            raise ProcessError(f"{self.name}: `{' '.join(prefix)}` fails: {done.stderr.strip()}")
        return int(done.stdout)

    def _recorded(self) -> Identity | None:
        try:
            return Identity(**json.loads(self._record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int]:
        self.run_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.run_dir / f"{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _start(self, command: Command, fingerprint: str, lock: int, deadline: float) -> None:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.replace(self.log_file.with_name(f"{self.log_file.name}.1"))
        environment = {
            "PATH": _PATH,
            "LANG": "C.UTF-8",
            **command.environment,
            "POSTROAD_PROCESS": str(self._record),
        }
        with contextlib.ExitStack() as stack:
            ready = stack.enter_context(self._ready_socket(environment)) if command.notify else None
            log = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            stack.callback(os.close, log)
            pid = os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _LAUNCHER, "sh", str(self._record), fingerprint, *command.prefix, *command.argv],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                    (os.POSIX_SPAWN_DUP2, lock, _LOCK_DESCRIPTOR),
                ],
                setsid=True,
            )
            process = os.pidfd_open(pid)
            stack.callback(os.close, process)
            if ready is not None:
                self._await_ready(ready, process, deadline)
            else:
                self._await_record(pid, process, deadline)

    @contextlib.contextmanager
    def _ready_socket(self, environment: dict[str, str]) -> Iterator[socket.socket]:
        path = self.run_dir / f"{self.name}.notify"
        if len(str(path)) > _SOCKET_PATH_LIMIT:
            raise ProcessError(f"{self.name}: {path} is too long for a socket's name; choose a shorter run folder")
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(path))
            environment["NOTIFY_SOCKET"] = str(path)
            try:
                yield ready
            finally:
                path.unlink(missing_ok=True)

    def _await_ready(self, ready: socket.socket, process: int, deadline: float) -> None:
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([ready.fileno(), process], [], [], left)
            if ready.fileno() in readable and b"READY=1" in ready.recv(4096).split(b"\n"):
                return
            if process in readable:
                self._stop(0)
                raise ProcessError(f"{self.name} exited at its start: {self._last_line()} (log: {self.log_file})")
        self._stop(1)
        raise ProcessError(
            f"{self.name} wasn't ready within {deadline:g} s: {self._last_line()} (log: {self.log_file})"
        )

    def _await_record(self, pid: int, process: int, deadline: float) -> None:
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            identity = self._recorded()
            if identity is not None and identity.pid == pid:
                return
            if select.select([process], [], [], 0.005)[0]:
                self._stop(0)
                raise ProcessError(f"{self.name} exited at its start: {self._last_line()} (log: {self.log_file})")
        raise ProcessError(f"{self.name} didn't start within {deadline:g} s (log: {self.log_file})")

    def _last_line(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        return lines[-1] if lines else "it said nothing"

    def _stop(self, deadline: float) -> bool:
        identity = self.running()
        stopped = identity is not None and _end(identity, deadline)
        for orphan in self._marked():
            stopped = _end(orphan, 0) or stopped
        if (left := self.running()) is not None:
            raise ProcessError(f"{self.name}: process {left.pid} doesn't end, not even by SIGKILL")
        self._record.unlink(missing_ok=True)
        return stopped

    def _marked(self) -> list[Identity]:
        """Live processes that carry this record's name in their environment.

        They are children of a leader that died, or a process whose record was lost.
        """
        marker = f"POSTROAD_PROCESS={self._record}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                marked = marker in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            stat = _stat(int(entry.name)) if marked else None
            if stat is not None and stat.state not in "ZX":
                found.append(Identity(int(entry.name), stat.started, _boot(), ""))
        return found


def _send(identity: Identity, number: signal.Signals) -> bool:
    try:
        process = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        # The id may have been reused until the descriptor was opened, not after.
        if not _alive(identity):
            return False
        signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def _end(identity: Identity, deadline: float) -> bool:
    try:
        process = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not _alive(identity):
            return False
        for number, patience in ((signal.SIGTERM, deadline), (signal.SIGKILL, 5.0)):
            if patience <= 0:
                continue
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], patience)[0]:
                break
    except ProcessLookupError:
        pass
    finally:
        os.close(process)
    _alive(identity)  # reaps it, if it is a child of this process
    return True

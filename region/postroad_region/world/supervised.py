"""The world as a process of the region: started, taken up, asked and stopped by the daemon."""

import hashlib
import http.client
import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postroad_region.dns.desired import PUBLIC_RESOLVER_ADDRESS
from postroad_region.errors import RegionError
from postroad_region.process import Command, Process
from postroad_region.world.definition import DEFAULT_FILE, load_world

_SECONDS = 10.0
# The last segment of the ledger is read at the start: a second for 200,000 verdicts.
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WorldStatus:
    """Whether the world runs, and where it answers HTTP (`unix:PATH` or `HOST:PORT`)."""

    running: bool
    pid: int | None
    http: str


class WorldProcess:
    """The one process that is every provider.

    Args:
        state_dir: gets the ledger, certificates and the log.
        run_dir: gets the process's record and, unless `http` says otherwise, the socket `world.sock`.
        prefix: runs a command in the internet's namespace.
        ca_dir: the box's authority, made when missing.
        dns: the resolver that providers ask.
        http: `unix:PATH` or `HOST:PORT`; an address is one of the namespace that `prefix` enters.
        file: the world's YAML.
    """

    def __init__(
        self,
        state_dir: Path,
        run_dir: Path,
        prefix: Sequence[str],
        *,
        ca_dir: Path,
        dns: str = PUBLIC_RESOLVER_ADDRESS,
        http: str | None = None,
        file: Path = DEFAULT_FILE,
    ) -> None:
        self._file = file.absolute()
        self._http = http or f"unix:{run_dir.absolute()}/world.sock"
        self._prefix = tuple(prefix)
        self._arguments = (
            *("--file", str(self._file)),
            *("--state", str(state_dir.absolute())),
            *("--ca", str(ca_dir.absolute())),
            *("--http", self._http),
            *("--dns", dns),
        )
        self._process = Process("world", run_dir=run_dir, log_file=state_dir / "world.log")

    def ensure(self) -> bool:
        """Have the world run as its file says; True if it had to be started, or again for a changed file or program.

        Raises:
            RegionError: the file is wrong (then a running world is left as it is), or the process doesn't start.
        """
        load_world(self._file)
        command = Command(
            [sys.executable, "-m", "postroad_region.world", "run", *self._arguments],
            self._prefix,
            notify=True,
            fingerprint=self._digest(),
        )
        return self._process.ensure(command, deadline=_START_SECONDS)

    def stop(self) -> None:
        """End it; the ledger stays."""
        self._process.stop()
        if self._http.startswith("unix:"):
            Path(self._http.removeprefix("unix:")).unlink(missing_ok=True)

    def status(self) -> WorldStatus:
        """What is known of the process."""
        identity = self._process.running()
        return WorldStatus(identity is not None, identity.pid if identity else None, self._http)

    def get(self, path: str) -> Any:
        """What `GET path` answers; see `operator.Operator`. `/messages` gives a list, `/metrics` a text.

        Raises:
            RegionError: the world doesn't answer, or not with 200.
        """
        return self._request("GET", path)

    def post(self, path: str) -> Any:
        """What `POST path` answers, e.g. `/incidents?kind=outage&provider=gmail&duration=10m`.

        Raises:
            RegionError: the world doesn't answer, or not with 200.
        """
        return self._request("POST", path)

    def delete(self, path: str) -> Any:
        """What `DELETE path` answers, e.g. `/incidents/3`.

        Raises:
            RegionError: the world doesn't answer, or not with 200.
        """
        return self._request("DELETE", path)

    def reset(self) -> None:
        """Forget all mail, what is known of sources, incidents and settings.

        Raises:
            RegionError: the world doesn't answer.
        """
        self._request("POST", "/reset")

    def _request(self, method: str, path: str) -> Any:
        connection = _connection(self._http)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise RegionError(f"the world doesn't answer on {self._http}: {reason}", remedy="run: make up") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise RegionError(f"the world answers {method} {path} with {response.status}: {content.decode().strip()}")
        if response.headers.get_content_type() == "application/x-ndjson":
            return [json.loads(line) for line in content.splitlines()]
        if response.headers.get_content_type() == "text/plain":
            return content.decode()
        return json.loads(content)

    def _digest(self) -> str:
        digest = hashlib.sha256(self._file.read_bytes())
        for source in sorted(Path(__file__).parent.rglob("*.py")):
            digest.update(source.read_bytes())
        return digest.hexdigest()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    host, _, port = address.rpartition(":")
    return http.client.HTTPConnection(host, int(port), timeout=_SECONDS)

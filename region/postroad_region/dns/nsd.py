"""One NSD: its configuration and zone files, its process, and reloads of what changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.name

from postroad_region.atomic_file import write_atomically
from postroad_region.command import run
from postroad_region.dns.signing import file_name
from postroad_region.process import Command, Identity, Process


def server_config(*, addresses: Sequence[str], folder: Path, control_socket: Path) -> str:
    """The part of nsd.conf that a running NSD doesn't read again.

    No response rate limiting: the hosts of the box ask one authority for everything. Root: the namespace has no
    uplink, and the zone files lie in folders of the region's own.
    """
    return "\n".join(
        [
            "server:",
            *(f"  ip-address: {address}" for address in addresses),
            "  ip-freebind: yes",
            "  do-ip6: no",
            "  server-count: 1",
            '  username: "root"',
            '  chroot: ""',
            '  pidfile: ""',
            '  database: ""',
            f'  zonesdir: "{folder}"',
            f'  zonelistfile: "{folder}/zone.list"',
            f'  xfrdfile: "{folder}/xfrd.state"',
            f'  xfrdir: "{folder}"',
            "  hide-version: yes",
            "  rrl-ratelimit: 0",
            "  rrl-size: 16",
            "  tcp-count: 200",
            "  xfrd-tcp-max: 2",
            "remote-control:",
            "  control-enable: yes",
            f'  control-interface: "{control_socket}"',
            "",
        ]
    )


def zones_config(zones: Mapping[str, str]) -> str:
    """The zones' part of nsd.conf, from file names by zone."""
    return "".join(f'zone:\n  name: "{name}"\n  zonefile: "{file}"\n' for name, file in sorted(zones.items()))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What a certain process was told to load; makes good for a daemon killed between writing and reloading."""

    process: Identity | None
    zones: Mapping[str, str]


class NsdServer:
    """An NSD with zones of its own.

    Args:
        name: of the process; `<state_dir>/<name>/` gets configuration and zone files.
        prefix: put before the command, see `Command.prefix`.
    """

    def __init__(self, name: str, *, state_dir: Path, run_dir: Path, prefix: Sequence[str]) -> None:
        self._folder = state_dir.absolute() / name
        self._prefix = tuple(prefix)
        self._control_socket = run_dir.absolute() / f"{name}.control"
        self._config = self._folder / "nsd.conf"
        self._marker = run_dir.absolute() / f"{name}.loaded"
        self.process = Process(name, run_dir=run_dir, log_file=state_dir / f"{name}.log")

    def apply(self, *, addresses: Sequence[str], zones: Mapping[dns.name.Name, str]) -> None:
        """Have an NSD on these addresses that serves these zone texts, within a second.

        Starts, restarts or reloads only if something isn't so already.

        Raises:
            RegionError: NSD isn't installed or doesn't start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        server = server_config(addresses=addresses, folder=self._folder, control_socket=self._control_socket)
        files = {name.to_text(): f"{file_name(name)}.zone" for name in zones}
        for name, text in zones.items():
            write_atomically(self._folder / files[name.to_text()], text)
        write_atomically(self._config, server + zones_config(files))
        wanted = {name.to_text(): hashlib.sha256(text.encode()).hexdigest() for name, text in zones.items()}
        command = Command(["nsd", "-d", "-c", str(self._config)], self._prefix, notify=True, fingerprint=server)
        if not self.process.ensure(command):
            self._reload(wanted)
        self._keep(wanted)
        for file in self._folder.glob("*.zone"):
            if file.name not in files.values():
                file.unlink()

    def stop(self) -> None:
        """End it; the zone files stay."""
        self.process.stop()
        self._marker.unlink(missing_ok=True)
        self._control_socket.unlink(missing_ok=True)

    def zone_count(self) -> int:
        """How many zones it was last given."""
        return len(self._loaded().zones)

    def _reload(self, wanted: Mapping[str, str]) -> None:
        loaded = self._loaded()
        known = loaded.zones if loaded.process == self.process.running() else {}
        if known.keys() != wanted.keys():
            self._control("reconfig")
        for name, digest in wanted.items():
            if known.get(name, digest if known else "") != digest:
                self._control("reload", name)

    def _loaded(self) -> _Loaded:
        try:
            kept = json.loads(self._marker.read_text())
            return _Loaded(Identity(**kept["process"]), kept["zones"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return _Loaded(None, {})

    def _keep(self, zones: Mapping[str, str]) -> None:
        identity = self.process.running()
        if identity is None:
            return
        process = {name: getattr(identity, name) for name in Identity.__slots__}
        write_atomically(self._marker, json.dumps({"process": process, "zones": zones}))

    def _control(self, *arguments: str) -> None:
        run(["nsd-control", "-c", str(self._config), *arguments], timeout=10)

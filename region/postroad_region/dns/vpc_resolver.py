"""A resolver: what AWS has at a VPC's base address plus two, as one unbound.

One process a VPC, as private zones belong to VPCs: two may know the same name differently, and unbound's views hold
neither wildcards nor CNAMEs to follow. It recurses from the box's root with the box's trust anchor and knows no other.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dns.name

from postroad_region.addresses import INTERNET_RANGE, PUBLIC_RANGE
from postroad_region.atomic_file import write_atomically
from postroad_region.command import run
from postroad_region.dns.signing import file_name
from postroad_region.dns.tree import TEST, reverse_name
from postroad_region.process import Command, Identity, Process

_SERVICE_TTL = 60


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """What one resolver has to know.

    Args:
        address: it listens there.
        clients: networks that are answered, others are refused.
        outgoing: asks from this address; none: what the routing table says.
        private_zones: zone file by private zone; they hide what the public tree has of the name.
        service_names: address by name; the name and everything below it have that one address.
    """

    address: str
    clients: Sequence[str]
    root_hints: Path
    trust_anchor: str
    outgoing: str | None = None
    private_zones: Mapping[dns.name.Name, Path] = field(default_factory=dict)
    service_names: Mapping[str, str] = field(default_factory=dict)


def resolver_config(settings: ResolverSettings, *, control_socket: Path) -> str:
    """The unbound.conf of a resolver."""
    # unbound answers these itself as names that don't exist (RFC 6303, RFC 6761), were they not given free.
    freed = [TEST, *(reverse_name(network) for network in (INTERNET_RANGE, PUBLIC_RANGE)), *settings.private_zones]
    lines = [
        "server:",
        f"  interface: {settings.address}",
        "  ip-freebind: yes",
        "  do-ip6: no",
        *(f"  access-control: {network} allow" for network in settings.clients),
        *([f"  outgoing-interface: {settings.outgoing}"] if settings.outgoing else []),
        '  username: ""',
        '  chroot: ""',
        '  directory: ""',
        '  pidfile: ""',
        "  use-syslog: no",
        '  logfile: ""',
        "  verbosity: 1",
        "  num-threads: 1",
        "  outgoing-range: 512",
        "  num-queries-per-thread: 256",
        "  msg-cache-size: 4m",
        "  rrset-cache-size: 8m",
        "  edns-buffer-size: 1232",
        "  hide-version: yes",
        "  hide-identity: yes",
        '  module-config: "validator iterator"',
        f'  root-hints: "{settings.root_hints}"',
        f'  trust-anchor: "{settings.trust_anchor.strip()}"',
        "  trust-anchor-signaling: no",
        # The authorities are restarted now and then; that is no reason to wait for minutes.
        "  infra-keep-probing: yes",
        *(f'  local-zone: "{name.to_text()}" nodefault' for name in sorted(set(freed))),
        *(f'  domain-insecure: "{name.to_text()}"' for name in sorted(settings.private_zones)),
    ]
    for name, address in sorted(settings.service_names.items()):
        lines += [f'  local-zone: "{name}" redirect', f'  local-data: "{name} {_SERVICE_TTL} IN A {address}"']
    lines += [
        "remote-control:",
        "  control-enable: yes",
        "  control-use-cert: no",
        f'  control-interface: "{control_socket}"',
    ]
    for zone, file in sorted(settings.private_zones.items()):
        lines += [
            "auth-zone:",
            f'  name: "{zone.to_text()}"',
            f'  zonefile: "{file}"',
            "  for-downstream: no",
            "  for-upstream: yes",
            "  fallback-enabled: no",
        ]
    return "\n".join(lines) + "\n"


class ResolverServer:
    """The unbound of one resolver.

    Args:
        name: of the process; `<state_dir>/<name>/` gets configuration and private zones.
        prefix: put before the command, see `Command.prefix`.
    """

    def __init__(self, name: str, *, state_dir: Path, run_dir: Path, prefix: Sequence[str]) -> None:
        self._folder = state_dir.absolute() / name
        self._prefix = tuple(prefix)
        self._control_socket = run_dir.absolute() / f"{name}.control"
        self._config = self._folder / "unbound.conf"
        self._marker = run_dir.absolute() / f"{name}.loaded"
        self.process = Process(name, run_dir=run_dir, log_file=state_dir / f"{name}.log")

    def apply(
        self,
        *,
        address: str,
        clients: Sequence[str],
        root_hints: Path,
        trust_anchor: str,
        outgoing: str | None = None,
        private_zones: Mapping[dns.name.Name, str] | None = None,
        service_names: Mapping[str, str] | None = None,
    ) -> None:
        """Have a resolver like this; see `ResolverSettings`, but `private_zones` are the zones' texts.

        A changed private zone is read again and forgotten from the cache; another configuration empties the cache;
        another address restarts it.

        Raises:
            RegionError: unbound isn't installed, refuses its configuration or doesn't start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        files = {name: self._folder / f"{file_name(name)}.zone" for name in private_zones or {}}
        for name, text in (private_zones or {}).items():
            write_atomically(files[name], text)
        settings = ResolverSettings(address, clients, root_hints, trust_anchor, outgoing, files, service_names or {})
        config = resolver_config(settings, control_socket=self._control_socket)
        self._write_config(config)
        wanted = {name.to_text(): _digest(text) for name, text in (private_zones or {}).items()}
        command = Command(
            ["unbound", "-d", "-p", "-c", str(self._config)],
            self._prefix,
            notify=True,
            fingerprint=f"{address} {outgoing}",
        )
        if not self.process.ensure(command):
            self._reload(_digest(config), wanted)
        self._keep(_digest(config), wanted)
        for file in self._folder.glob("*.zone"):
            if file not in files.values():
                file.unlink()

    def stop(self) -> None:
        """End it; its files stay."""
        self.process.stop()
        self._marker.unlink(missing_ok=True)
        self._control_socket.unlink(missing_ok=True)

    def _write_config(self, config: str) -> None:
        # Checked before it takes the place of the good one: a running unbound ends when it reloads a bad one.
        candidate = self._config.with_name("candidate.conf")
        if not self._config.exists() or self._config.read_text() != config:
            write_atomically(candidate, config)
            run(["unbound-checkconf", str(candidate)], timeout=10)
            candidate.replace(self._config)

    def _reload(self, config: str, zones: Mapping[str, str]) -> None:
        try:
            kept = json.loads(self._marker.read_text())
            if Identity(**kept["process"]) != self.process.running() or kept["config"] != config:
                raise ValueError
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            self._control("reload")
            return
        for name, digest in zones.items():
            if kept["zones"].get(name) != digest:
                self._control("auth_zone_reload", name)
                self._control("flush_zone", name)

    def _keep(self, config: str, zones: Mapping[str, str]) -> None:
        identity = self.process.running()
        if identity is None:
            return
        process = {name: getattr(identity, name) for name in Identity.__slots__}
        write_atomically(self._marker, json.dumps({"process": process, "config": config, "zones": zones}))

    def _control(self, *arguments: str) -> None:
        run(["unbound-control", "-c", str(self._config), *arguments], timeout=10)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

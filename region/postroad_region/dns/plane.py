"""The servers of the box's DNS, made to match what is desired."""

import datetime
import hashlib
from collections.abc import Sequence
from pathlib import Path

from postroad_region.atomic_file import write_atomically
from postroad_region.dns.answers import Answers, answers
from postroad_region.dns.desired import (
    AUTHORITY_ADDRESS,
    PUBLIC_RESOLVER_ADDRESS,
    ROOT_ADDRESS,
    DnsDesired,
    DnsStatus,
)
from postroad_region.dns.nsd import NsdServer
from postroad_region.dns.signing import Signer
from postroad_region.dns.tree import ROOT_SERVER
from postroad_region.dns.vpc_resolver import ResolverServer

_RESOLVER = "resolver-"


class DnsPlane:
    """Root and authorities as NSD and a public resolver in the internet, a resolver for each VPC in the fabric.

    Two NSDs, one above the cut and one below: a server that held both `test.` and `postroad.test.` would never refer.

    Args:
        state_dir: gets keys, zones, logs, `root.hints` and `root.key` (unbound's format).
        run_dir: gets records of processes and control sockets; keep it short, sockets' names end at 107 octets.
        internet_prefix: runs a command in the internet's namespace, e.g. `["ip", "netns", "exec",
            "postroad-internet"]`.
        fabric_prefix: the same for the VPCs' namespace.
    """

    def __init__(
        self, state_dir: Path, run_dir: Path, internet_prefix: Sequence[str], fabric_prefix: Sequence[str]
    ) -> None:
        self._state = state_dir.absolute()
        self._run = run_dir.absolute()
        self._fabric_prefix = tuple(fabric_prefix)
        self._signer = Signer(self._state)
        self._root = NsdServer("nsd-root", state_dir=self._state, run_dir=self._run, prefix=internet_prefix)
        self._authority = NsdServer("nsd-authority", state_dir=self._state, run_dir=self._run, prefix=internet_prefix)
        self._public = ResolverServer(
            "public-resolver", state_dir=self._state, run_dir=self._run, prefix=internet_prefix
        )
        self._known: tuple[str, Answers] | None = None

    @property
    def root_hints(self) -> Path:
        """The file of root hints for every resolver of the box."""
        return self._state / "root.hints"

    @property
    def trust_anchor(self) -> Path:
        """The file with the root's key."""
        return self._state / "root.key"

    def apply(self, desired: DnsDesired, *, now: datetime.datetime | None = None) -> DnsStatus:
        """Have all servers serve what is desired; call it when something changed, and daily (signatures).

        Nothing is touched that is right already. A record or zone that can't be served becomes a problem in the status
        and keeps nothing else from being served. Blocks for as long as servers take to start (about 0.1 s each).

        Raises:
            RegionError: a server isn't installed or doesn't start.
        """
        now = now or datetime.datetime.now(datetime.UTC)
        wanted = self._answers(desired, now)
        write_atomically(self.trust_anchor, self._signer.trust_anchor())
        write_atomically(self.root_hints, root_hints())
        self._root.apply(addresses=[ROOT_ADDRESS], zones=wanted.parents)
        providers = sorted({zone.name_server for zone in desired.provider_zones} - {AUTHORITY_ADDRESS})
        self._authority.apply(addresses=[AUTHORITY_ADDRESS, *providers], zones=wanted.authority)
        self._public.apply(
            address=PUBLIC_RESOLVER_ADDRESS,
            clients=["0.0.0.0/0"],
            root_hints=self.root_hints,
            trust_anchor=self._signer.trust_anchor(),
        )
        for vpc in desired.vpcs:
            self._resolver(f"{_RESOLVER}{vpc.vpc_id}").apply(
                address=vpc.resolver,
                clients=vpc.cidrs,
                root_hints=self.root_hints,
                trust_anchor=self._signer.trust_anchor(),
                outgoing=desired.outgoing_address,
                private_zones=wanted.private[vpc.vpc_id],
                service_names=desired.service_names,
            )
        self._stop_resolvers(keep={f"{_RESOLVER}{vpc.vpc_id}" for vpc in desired.vpcs})
        return self.status()

    def stop(self) -> None:
        """End every server, those of a former daemon too; keys and zones stay."""
        self._stop_resolvers(keep=set())
        for server in (self._public, self._authority, self._root):
            server.stop()

    def status(self) -> DnsStatus:
        """What runs now, and the problems of the last `apply` of this object."""
        servers: list[NsdServer | ResolverServer] = [
            self._root,
            self._authority,
            self._public,
            *map(self._resolver, self._resolver_names()),
        ]
        return DnsStatus(
            processes={server.process.name: server.process.running() is not None for server in servers},
            zones={server.process.name: server.zone_count() for server in (self._root, self._authority)},
            problems=self._known[1].problems if self._known else (),
        )

    def _answers(self, desired: DnsDesired, now: datetime.datetime) -> Answers:
        # By its text: what the caller changes in place must be seen, and is compared in less time than zones are built.
        key = hashlib.sha256(f"{now.date()} {desired!r}".encode()).hexdigest()
        if self._known is None or self._known[0] != key:
            self._known = key, answers(desired, self._signer, now=now)
        return self._known[1]

    def _resolver(self, name: str) -> ResolverServer:
        return ResolverServer(name, state_dir=self._state, run_dir=self._run, prefix=self._fabric_prefix)

    def _resolver_names(self) -> list[str]:
        return sorted(file.stem for file in self._run.glob(f"{_RESOLVER}*.pid"))

    def _stop_resolvers(self, *, keep: set[str]) -> None:
        for name in self._resolver_names():
            if name not in keep:
                self._resolver(name).stop()


def root_hints() -> str:
    """The root hints of the box."""
    server = ROOT_SERVER.to_text()
    return f". 3600000 NS {server}\n{server} 3600000 A {ROOT_ADDRESS}\n"

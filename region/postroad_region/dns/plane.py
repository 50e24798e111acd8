"""The servers of the box's DNS, made to match what is desired."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import dns.name

from postroad_region.atomic_file import write_atomically
from postroad_region.dns.desired import (
    AUTHORITY_ADDRESS,
    PUBLIC_RESOLVER_ADDRESS,
    ROOT_ADDRESS,
    DnsDesired,
    DnsStatus,
    HostedZone,
    Problem,
    Vpc,
)
from postroad_region.dns.nsd import NsdServer
from postroad_region.dns.route53 import name_servers, zone_name, zone_of
from postroad_region.dns.signing import Signer
from postroad_region.dns.tree import (
    IN_ADDR,
    ROOT_SERVER,
    Delegation,
    parent_zones,
    provider_zone,
    reverse_zones,
)
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
        self._problems: tuple[Problem, ...] = ()

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
        problems: list[Problem] = []
        authority, delegations = self._authority_zones(desired, problems, now)
        parents = {zone.origin: self._signer.sign(zone, now=now) for zone in parent_zones(delegations, self._signer.ds)}
        write_atomically(self.trust_anchor, self._signer.trust_anchor())
        write_atomically(self.root_hints, root_hints())
        self._root.apply(addresses=[ROOT_ADDRESS], zones=parents)
        providers = sorted({zone.name_server for zone in desired.provider_zones} - {AUTHORITY_ADDRESS})
        self._authority.apply(addresses=[AUTHORITY_ADDRESS, *providers], zones=authority)
        self._public.apply(
            address=PUBLIC_RESOLVER_ADDRESS,
            clients=["0.0.0.0/0"],
            root_hints=self.root_hints,
            trust_anchor=self._signer.trust_anchor(),
        )
        for vpc in desired.vpcs:
            self._apply_vpc(vpc, desired, problems)
        self._stop_resolvers(keep={f"{_RESOLVER}{vpc.vpc_id}" for vpc in desired.vpcs})
        # A private zone's problems are found once for each of its VPCs.
        self._problems = tuple(dict.fromkeys(problems))
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
            problems=self._problems,
        )

    def _authority_zones(
        self, desired: DnsDesired, problems: list[Problem], now: datetime.datetime
    ) -> tuple[dict[dns.name.Name, str], list[Delegation]]:
        texts: dict[dns.name.Name, str] = {}
        delegations: list[Delegation] = []
        reverse, reverse_problems = reverse_zones(desired.reverse)
        problems += reverse_problems
        texts.update((zone.origin, zone.text()) for zone in reverse)
        for provider in desired.provider_zones:
            zone, server, provider_problems = provider_zone(provider.name, provider.records, provider.name_server)
            problems += provider_problems
            signed = provider.dnssec != "unsigned"
            texts[zone.origin] = self._signer.sign(zone, now=now) if signed else zone.text()
            ds = (self._signer.ds(zone.origin, stray=provider.dnssec == "bogus"),) if signed else ()
            delegations.append(Delegation(zone.origin, {server: provider.name_server}, ds))
        public = _public_zones(desired.hosted_zones, taken=set(texts), problems=problems)
        for name, hosted in public.items():
            zone, zone_problems = zone_of(hosted, desired.alias_targets)
            problems += zone_problems
            texts[name] = zone.text()
            # A zone below another hosted one is delegated by NS records in that one, or not at all.
            if not any(name != other and name.is_subdomain(other) for other in public):
                delegations.append(Delegation(name, dict.fromkeys(name_servers(zone), AUTHORITY_ADDRESS)))
        return texts, delegations

    def _apply_vpc(self, vpc: Vpc, desired: DnsDesired, problems: list[Problem]) -> None:
        private: dict[dns.name.Name, str] = {}
        for hosted in desired.hosted_zones:
            if not hosted.private or vpc.vpc_id not in hosted.vpc_ids:
                continue
            try:
                name = zone_name(hosted)
                if name in private:
                    raise ValueError(f"{vpc.vpc_id} has a zone of this name already")
            except ValueError as error:
                problems.append(Problem(hosted.name, f"hosted zone {hosted.zone_id}", str(error)))
                continue
            zone, zone_problems = zone_of(hosted, desired.alias_targets)
            problems += zone_problems
            private[name] = zone.text()
        self._resolver(f"{_RESOLVER}{vpc.vpc_id}").apply(
            address=vpc.resolver,
            clients=vpc.cidrs,
            root_hints=self.root_hints,
            trust_anchor=self._signer.trust_anchor(),
            outgoing=desired.outgoing_address,
            private_zones=private,
            service_names=desired.service_names,
        )

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


def _public_zones(
    hosted_zones: Sequence[HostedZone], *, taken: set[dns.name.Name], problems: list[Problem]
) -> dict[dns.name.Name, HostedZone]:
    public: dict[dns.name.Name, HostedZone] = {}
    for hosted in hosted_zones:
        if hosted.private:
            continue
        try:
            name = zone_name(hosted)
            if len(name) < 3 or name == IN_ADDR:
                raise ValueError("the registries' own zones aren't hosted by Route 53")
            if name in taken:
                raise ValueError("somebody else on the box's internet has it")
            if name in public:
                raise ValueError(f"zone {public[name].zone_id} has the name and the delegation already")
            public[name] = hosted
        except ValueError as error:
            problems.append(Problem(hosted.name, f"hosted zone {hosted.zone_id}", str(error)))
    return public

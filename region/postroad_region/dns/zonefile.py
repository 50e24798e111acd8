"""A zone, and its text for NSD and unbound."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone

_SINGLE = frozenset({dns.rdatatype.CNAME, dns.rdatatype.SOA, dns.rdatatype.DNAME})


@dataclass(slots=True)
class Zone:
    """Record sets below one origin; names are absolute."""

    origin: dns.name.Name
    rdatasets: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rdataset.Rdataset] = field(default_factory=dict)

    def add(self, name: dns.name.Name, ttl: int, rdatas: Sequence[dns.rdata.Rdata]) -> None:
        """Add records of one type to a name.

        Raises:
            ValueError: the name is outside the zone, or the zone would be one that no server loads (RFC 1034 3.6.2,
                RFC 2181 10.1).
        """
        kind = rdatas[0].rdtype
        if not name.is_subdomain(self.origin):
            raise ValueError("is outside the zone")
        others = {each for owner, each in self.rdatasets if owner == name and each != kind}
        if (kind == dns.rdatatype.CNAME and others) or dns.rdatatype.CNAME in others:
            raise ValueError("a CNAME stands beside other records of the name")
        if kind in _SINGLE and len({*self.rdatasets.get((name, kind), ()), *rdatas}) > 1:
            raise ValueError(f"a name has one {dns.rdatatype.to_text(kind)} record at most")
        merged = dns.rdataset.from_rdata_list(ttl, [*self.rdatasets.get((name, kind), ()), *rdatas])
        self.rdatasets[name, kind] = merged

    def add_text(self, name: str, ttl: int, kind: str, *values: str) -> None:
        """Add records written as in a zone file; names are relative to the zone's origin unless they end in a dot."""
        owner = dns.name.from_text(name, self.origin)
        self.add(owner, ttl, [rdata(kind, value, self.origin) for value in values])

    def text(self) -> str:
        """The zone file: sorted, SOA first, every name absolute; equal zones have equal texts."""
        order = sorted(self.rdatasets, key=lambda key: (key[1] != dns.rdatatype.SOA, key[0], key[1]))
        lines = []
        for name, kind in order:
            rdataset = self.rdatasets[name, kind]
            head = f"{name.to_text()} {rdataset.ttl} IN {dns.rdatatype.to_text(kind)}"
            lines += sorted(f"{head} {each.to_text()}" for each in rdataset)
        return "\n".join(lines) + "\n"

    def parsed(self) -> dns.zone.Zone:
        """As dnspython's own zone, names absolute."""
        return dns.zone.from_text(self.text(), self.origin, relativize=False)


def rdata(kind: str, value: str, origin: dns.name.Name = dns.name.root) -> dns.rdata.Rdata:
    """A record's value from its text.

    Raises:
        ValueError: it doesn't parse as a record of that type.
    """
    try:
        return dns.rdata.from_text("IN", kind, value, origin=origin, relativize=False)
    except Exception as error:  # dnspython raises its own and those of int and ipaddress
        raise ValueError(f"{value!r} is no {kind} value: {error or type(error).__name__}") from error

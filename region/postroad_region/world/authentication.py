"""Who a message is from: SPF, DKIM, DMARC and the source's reverse name, asked for as a provider's checks say."""

from postroad_region.world.decisions import dmarc
from postroad_region.world.decisions.filing import NOT_ASKED, Outcomes
from postroad_region.world.decisions.spf import LookupFailedError, Resolver, check_host
from postroad_region.world.definition.provider import Checks
from postroad_region.world.lookups import Remembered
from postroad_region.world.signatures import SignatureCheck

_REMEMBERED_SECONDS = 60


def _is_temporary(outcome: str) -> bool:
    return outcome == "temperror"


class Authentication:
    """One provider's checks."""

    def __init__(self, checks: Checks, resolver: Resolver) -> None:
        self._checks = checks
        self._resolver = resolver
        self._spf: Remembered[str] = Remembered(_REMEMBERED_SECONDS, failed=_is_temporary)
        self._reverse: Remembered[str] = Remembered(_REMEMBERED_SECONDS, failed=_is_temporary)
        self._policies: Remembered[tuple[dmarc.Policy | None, str]] = Remembered(_REMEMBERED_SECONDS)
        self._signatures = SignatureCheck(checks.dkim_per_second, resolver)

    async def outcomes(self, source: str, ehlo: str, sender: str, content: bytes) -> Outcomes:
        """What the checks find for a message."""
        spf_domain = sender.rpartition("@")[2] or ehlo
        spf = reverse = ""
        if self._checks.spf:
            ask_spf = lambda: check_host(source, spf_domain, self._resolver)  # noqa: E731
            spf = await self._spf.get(f"{source} {spf_domain}", ask_spf)
        if self._checks.reverse_name != "off":
            reverse = await self._reverse.get(source, lambda: self._reverse_name(source))
        signatures = await self._signatures.check(content)
        judgement = NOT_ASKED
        if self._checks.dmarc != "off":
            author = dmarc.from_domain(content[: content.find(b"\r\n\r\n") + 2] or content)
            try:
                policy, found_at = await self._policy(author)
            except LookupFailedError:
                judgement = dmarc.Judgement("temperror")
            else:
                judgement = dmarc.judge(
                    author,
                    policy,
                    policy_domain=found_at,
                    spf=spf,
                    spf_domain=spf_domain,
                    dkim=signatures.outcome,
                    dkim_domains=signatures.domains,
                )
        return Outcomes(spf, signatures.outcome, judgement, reverse)

    async def _policy(self, author: str | None) -> tuple[dmarc.Policy | None, str]:
        if author is None:
            return None, ""
        return await self._policies.get(author, lambda: self._ask_policy(author))

    async def _ask_policy(self, author: str) -> tuple[dmarc.Policy | None, str]:
        for domain in dict.fromkeys((author, dmarc.organisation(author))):
            policy = dmarc.parse(await self._resolver.txt(f"_dmarc.{domain}"))
            if policy is not None:
                return policy, domain
        return None, ""

    async def _reverse_name(self, source: str) -> str:
        try:
            for name in (await self._resolver.names(source))[:10]:
                if source in await self._resolver.addresses(name):
                    return "pass"
        except LookupFailedError:
            return "temperror"
        return "fail"

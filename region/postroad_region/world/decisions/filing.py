"""What a message's authentication leads to."""

from dataclasses import dataclass

from postroad_region.world.decisions.dmarc import Judgement
from postroad_region.world.definition.provider import Checks

NOT_ASKED = Judgement("")


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the checks found; empty where they weren't asked for."""

    spf: str = ""
    dkim: str = ""
    dmarc: Judgement = NOT_ASKED
    reverse: str = ""


@dataclass(frozen=True, slots=True)
class Filing:
    """A reason to refuse the message (see `definition.replies`), or the folder it goes to; empty: the inbox."""

    refused: str | None = None
    folder: str = ""


def filed(found: Outcomes, checks: Checks) -> Filing:
    """Accepted, accepted as spam, or refused.

    A DNS that can't be asked never costs a message for good.
    """
    if checks.reverse_name == "require" and found.reverse == "fail":
        return Filing("reverse-name")
    if checks.spf_fail == "reject" and found.spf == "fail":
        return Filing("spf")
    if checks.dmarc == "enforce" and found.dmarc.result == "temperror":
        return Filing("dmarc-temporary")
    if checks.authentication == "required" and found.spf != "pass" and found.dkim not in ("pass", "unchecked"):
        return Filing("dmarc-temporary" if "temperror" in (found.spf, found.dkim) else "unauthenticated")
    if checks.dmarc == "enforce" and found.dmarc.result == "fail":
        match found.dmarc.disposition:
            case "reject":
                return Filing("dmarc")
            case "quarantine":
                return Filing(folder="spam")
    return Filing()

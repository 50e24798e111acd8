"""Physical names for resources that the program doesn't name, as pulumi-aws makes them."""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from .errors import ProviderError
from .resource import Autoname

HEX_DIGITS = 7


def physical_name(
    rule: Autoname, logical: str, inputs: Mapping[str, Any], *, seed: bytes = b"", proposed: str = ""
) -> str:
    """The logical name, a separator and seven hexadecimal digits, cut to what AWS takes.

    Args:
        rule: how this type is named.
        logical: the resource's name in the program.
        inputs: what the program gives; a name prefix takes the logical name's place.
        seed: makes the digits reproducible; without it they are random.
        proposed: what the engine's own autonaming configuration proposes; it wins.
    """
    suffix = rule.suffix(inputs)
    if proposed:
        return proposed if proposed.endswith(suffix) else proposed + suffix
    prefix = inputs.get(rule.prefix) if rule.prefix else None
    base = str(prefix) if prefix else rule.before + logical + rule.separator
    digits = hashlib.sha256(seed + logical.encode()).hexdigest() if seed else secrets.token_hex(HEX_DIGITS)
    name = base + digits[:HEX_DIGITS] + suffix
    if len(name) > rule.longest:
        room = rule.longest - HEX_DIGITS - len(suffix) - len(rule.separator)
        if prefix or room < 1:
            raise ProviderError(f"{name!r} is longer than the {rule.longest} characters that AWS takes: shorten it")
        name = base[:room] + rule.separator + digits[:HEX_DIGITS] + suffix
    return name.lower() if rule.lower else name

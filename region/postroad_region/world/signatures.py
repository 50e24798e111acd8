"""DKIM of what arrives (RFC 6376), checked with dkimpy, as often as a rate allows."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import dkim

from postroad_region.world.decisions.spf import LookupFailedError, Resolver

_SIGNATURE = re.compile(rb"^dkim-signature:((?:[^\r\n]|\r\n[ \t])*)\r\n", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(rb"(?:^|;)\s*([ds])\s*=\s*([^;\s]+)")
_CHECKED_SIGNATURES = 3


@dataclass(frozen=True, slots=True)
class Signatures:
    """What became of a message's signatures.

    Args:
        outcome: `pass` if one holds, `fail` if none does, `none` without any, `temperror` if a key can't be asked for,
            `unchecked` beyond the rate.
        domains: `d=` of those that hold.
    """

    outcome: str
    domains: tuple[str, ...] = ()


_NONE = Signatures("none")
_UNCHECKED = Signatures("unchecked")


class SignatureCheck:
    """Outcomes for messages; those beyond the rate are `unchecked`.

    Args:
        per_second: how many messages are checked in any second.
        resolver: finds the keys.
    """

    def __init__(self, per_second: int, resolver: Resolver, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._resolver = resolver
        self._clock = clock
        self._second = 0
        self._left = 0

    async def check(self, message: bytes) -> Signatures:
        """Look at the first three signatures of a message."""
        signatures = _SIGNATURE.findall(message[: message.find(b"\r\n\r\n") + 2])
        if not signatures:
            return _NONE
        if not self._take():
            return _UNCHECKED
        result = "fail"
        domains = []
        for index, signature in enumerate(signatures[:_CHECKED_SIGNATURES]):
            tags = dict(_TAG.findall(signature))
            try:
                name = f"{tags[b's'].decode('ascii')}._domainkey.{tags[b'd'].decode('ascii')}"
                keys = await self._resolver.txt(name)
            except (KeyError, UnicodeDecodeError):
                continue
            except LookupFailedError:
                result = "temperror"
                continue
            holds: bool = bool(keys) and await asyncio.to_thread(_holds, message, index, keys[0])
            if holds:
                domains.append(tags[b"d"].decode("ascii").lower())
        return Signatures("pass" if domains else result, tuple(domains))

    def _take(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._left = second, self._per_second
        self._left -= 1
        return self._left >= 0


def _holds(message: bytes, index: int, key: bytes) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(index, dnsfunc=lambda *_args, **_options: key))
    except Exception:  # noqa: BLE001  whatever a malformed signature or key makes dkimpy raise, it doesn't hold
        return False

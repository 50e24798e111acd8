"""Where complaints are reported: the addresses that senders registered, in the file or with the operator."""

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from postroad_region.atomic_file import write_atomically
from postroad_region.world.definition.world import FeedbackLoop


class FeedbackLoops:
    """Addresses by domain; what an operator registers comes before the file's, and outlives a restart.

    Args:
        file: keeps the operator's.
        configured: the world's file's.
    """

    def __init__(self, file: Path, configured: Sequence[FeedbackLoop]) -> None:
        self._file = file
        self._configured = tuple(configured)
        self._registered = self._kept()

    def all(self) -> list[FeedbackLoop]:
        """Those in force, the operator's first."""
        taken = {each.domain for each in self._registered}
        return [*self._registered, *(each for each in self._configured if each.domain not in taken)]

    def register(self, loop: FeedbackLoop) -> None:
        """Report complaints about a domain's mail to an address from now on."""
        self._registered = [loop, *(each for each in self._registered if each.domain != loop.domain)]
        self._keep()

    def address(self, domains: Sequence[str]) -> str:
        """Where complaints about a message of these domains go; empty if nobody registered for one or above it."""
        for loop in self.all():
            if any(domain == loop.domain or domain.endswith(f".{loop.domain}") for domain in domains):
                return loop.address
        return ""

    def reset(self) -> None:
        """Back to the file's."""
        self._registered = []
        self._keep()

    def _keep(self) -> None:
        write_atomically(self._file, json.dumps([each.model_dump() for each in self._registered]))

    def _kept(self) -> list[FeedbackLoop]:
        try:
            return [FeedbackLoop.model_validate(each) for each in json.loads(self._file.read_text())]
        except (OSError, ValueError, TypeError, ValidationError):
            return []

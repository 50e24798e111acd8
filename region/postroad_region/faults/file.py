"""The file that holds the injected faults: commands change it, the daemon makes it true."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

from postroad_region.atomic_file import write_atomically
from postroad_region.errors import RegionError
from postroad_region.faults.model import Faults, parse


class FaultsFile:
    """`faults.json` in the region's state folder; without it nothing is injected."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Faults:
        """What is injected.

        Raises:
            RegionError: the file can't be read as faults.
        """
        try:
            return parse(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return Faults()
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise RegionError(f"{self.path} doesn't hold faults: {error}", remedy=f"remove {self.path}") from None

    def update(self, change: Callable[[Faults], Faults]) -> Faults:
        """Change what is injected, one writer at a time; what holds then."""
        with self.path.with_name(f".{self.path.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.read()
            after = change(before)
            if after != before:
                write_atomically(self.path, json.dumps(after.document(), indent=2) + "\n")
            return after

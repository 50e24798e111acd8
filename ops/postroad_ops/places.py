"""Where things are: in the checkout, and on the machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ("network", "dns", "mail")
STACKS = ("local", "uat", "staging", "production")


def region_state() -> Path:
    """The region's state folder; it goes with the region."""
    return Path(os.environ.get("POSTROAD_REGION_STATE", "/var/lib/postroad-region"))


def cache() -> Path:
    """Caches that outlive the region."""
    return Path(os.environ.get("POSTROAD_CACHE", "/var/cache/postroad"))


def program(name: str) -> str:
    """A command of the project's own environment."""
    return str(Path(sys.executable).parent / name)

"""Which build this is."""

import os
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Build:
    """Version, and the release folder that runs it ("none" outside of one)."""

    version: str
    release: str


def this_build() -> Build:
    """The running build: a release lives in `/opt/postroad/releases/<id>/venv`; POSTROAD_RELEASE overrides its name."""
    release = os.environ.get("POSTROAD_RELEASE") or _release_of(Path(sys.prefix))
    return Build(version("postroad"), release)


def _release_of(prefix: Path) -> str:
    folder = prefix.resolve().parent
    return folder.name if folder.parent.name == "releases" else "none"

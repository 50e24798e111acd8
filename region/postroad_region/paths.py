"""Where the region keeps what: state that outlives it, run-time files, and caches that several regions may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The region's folders; one region a machine, whichever checkout started it."""

    state: Path
    run: Path
    cache: Path

    @property
    def api_state(self) -> Path:
        """The AWS API's saved state."""
        return self.state / "api"

    @property
    def volumes(self) -> Path:
        """One folder for each EBS volume."""
        return self.state / "volumes"

    @property
    def faults(self) -> Path:
        """What is injected."""
        return self.state / "faults.json"

    @property
    def instances(self) -> Path:
        """One folder for each instance: what the region gives to its host."""
        return self.state / "instances"

    @property
    def ssh(self) -> Path:
        """The operator's key pair and the release signing key."""
        return self.state / "ssh"

    @property
    def logs(self) -> Path:
        """Logs of the region's processes."""
        return self.state / "log"

    @property
    def base_image(self) -> Path:
        """Names the container image that the base AMI stands for."""
        return self.state / "base-image"

    @property
    def images(self) -> Path:
        """Root file systems, by the hash of their recipe."""
        return self.cache / "images"


def paths() -> Paths:
    """The folders in force: `POSTROAD_REGION_STATE`, `POSTROAD_REGION_RUN`, `POSTROAD_CACHE` or their defaults."""
    return Paths(
        state=Path(os.environ.get("POSTROAD_REGION_STATE", "/var/lib/postroad-region")),
        run=Path(os.environ.get("POSTROAD_REGION_RUN", "/run/postroad-region")),
        cache=Path(os.environ.get("POSTROAD_CACHE", "/var/cache/postroad")),
    )

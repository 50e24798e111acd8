"""The base image: Debian 12 as the hosts boot it, made by mmdebstrap, once for each change of its recipe."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from postroad_region.command import run, succeeds
from postroad_region.errors import RegionError

NAME = "localhost/postroad-base"
# The newest one, under a name that doesn't change: for tests of single roles.
CURRENT = f"{NAME}:bookworm"
RECIPE = Path(__file__).parent / "image"
BUILD_SECONDS = 900.0


def packages() -> list[str]:
    """The Debian packages that the recipe names."""
    lines = (RECIPE / "packages.txt").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def recipe_hash() -> str:
    """Twelve hex digits that change when anything does that the image is made from."""
    digest = hashlib.sha256()
    for path in sorted(RECIPE.iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def reference() -> str:
    """The image's name and tag in podman's store."""
    return f"{NAME}:{recipe_hash()}"


def ensure(cache: Path) -> str:
    """Build or load the image where podman doesn't have it; its reference.

    The root file system is kept as a tar in `cache`, so that removing the region doesn't cost a build.

    Raises:
        RegionError: the build fails, or there is no room.
    """
    image = reference()
    if succeeds(["podman", "image", "exists", image]):
        run(["podman", "tag", image, CURRENT])
        return image
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tar = cache / f"base-{recipe_hash()}.tar"
        if not tar.exists():
            _bootstrap(tar)
        if not succeeds(["podman", "image", "exists", image]):
            try:
                _import(tar, image)
            except RegionError:
                # A tar that a power cut has truncated would fail for ever.
                tar.unlink()
                _bootstrap(tar)
                _import(tar, image)
    run(["podman", "tag", image, CURRENT])
    return image


def _import(tar: Path, image: str) -> None:
    run(["podman", "import", "-q", str(tar), image], timeout=BUILD_SECONDS)


def _bootstrap(tar: Path) -> None:
    free = os.statvfs(tar.parent)
    if free.f_bavail * free.f_frsize < 2 << 30:
        raise RegionError(
            f"{tar.parent} has less than 2 GiB free for the base image", remedy="free some, or set POSTROAD_CACHE"
        )
    partial = tar.with_suffix(f".partial-{os.getpid()}.tar")
    try:
        run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(packages())}",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*",
                f'--customize-hook={RECIPE / "customize.sh"} "$1" {RECIPE}',
                "bookworm",
                str(partial),
            ],
            timeout=BUILD_SECONDS,
        )
        partial.rename(tar)
    finally:
        partial.unlink(missing_ok=True)

"""The archive of a release tree, the same octets for the same content."""

import gzip
import hashlib
import os
import tarfile
from pathlib import Path

EPOCH = 1_580_601_600
"""The time stamp of every member (2020-02-02, the one hatchling gives to the members of a wheel)."""


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(tree: Path) -> list[str]:
    """The files below `tree`, relative, sorted."""
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())


def write_manifest(tree: Path) -> str:
    """Write `MANIFEST` over all other files of `tree` and return its own sha256."""
    manifest = tree / "MANIFEST"
    manifest.unlink(missing_ok=True)
    manifest.write_text("".join(f"{sha256(tree / name)}  {name}\n" for name in files_of(tree)))
    return sha256(manifest)


def write_archive(tree: Path, archive: Path, *, prefix: str) -> None:
    """Write `tree` as a gzipped tar whose members lie under `prefix/`; the file appears complete or not at all."""
    part = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        # Level 1: wheels are compressed already.
        with (
            part.open("wb") as raw,
            gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for name in files_of(tree):
                member = tarfile.TarInfo(f"{prefix}/{name}")
                member.size = (tree / name).stat().st_size
                member.mtime = EPOCH
                member.mode = 0o644
                with (tree / name).open("rb") as content:
                    tar.addfile(member, content)
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)

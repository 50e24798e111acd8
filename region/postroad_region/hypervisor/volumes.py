"""EBS volumes: file systems that outlive their instances, shown in a host while they are attached.

A volume is an ext4 file system of its own size in a sparse file, mounted in the region's folder and shown in the host
at `/mnt/ebs/<volume-id>`. A simplification: the host has no block device to format. Where the machine has no loop
devices, a volume is a plain folder without a limit. Its data is removed only when the API was told to delete the
volume; what the API merely doesn't know is kept.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import structlog

from postroad_region.command import run
from postroad_region.errors import RegionError

log = structlog.get_logger("volumes")

GIB = 1 << 30
# Of a volume of which the API doesn't say it.
DEFAULT_GIB = 8
OCTETS_PER_INODE = 65536
JOURNAL_MIB = 16


def prepare(instances: Path) -> None:
    """Make the folder that hosts share a mount whose changes reach them (mount_namespaces(7), shared subtrees)."""
    instances.mkdir(parents=True, exist_ok=True)
    if str(instances) not in _mount_points():
        run(["mount", "--bind", str(instances), str(instances)])
        run(["mount", "--make-rshared", str(instances)])


def ensure_attached(
    volumes: Path, folder: Path, wanted: tuple[str, ...], sizes: Mapping[str, int] | None = None
) -> None:
    """Show exactly the wanted volumes in the host that `folder` belongs to; `sizes` are in GiB, by volume."""
    mounted = _mount_points()
    shown = folder / "ebs"
    shown.mkdir(parents=True, exist_ok=True)
    for volume in wanted:
        target = shown / volume
        if str(target) not in mounted:
            ensure_file_system(volumes, volume, (sizes or {}).get(volume, DEFAULT_GIB))
            target.mkdir(exist_ok=True)
            run(["mount", "--bind", str(volumes / volume), str(target)])
    for target in shown.iterdir():
        if target.name not in wanted:
            _detach(target, mounted)


def ensure_file_system(volumes: Path, volume: str, gib: int) -> None:
    """Have the volume's file system mounted in its folder; a new one is made of its size."""
    folder, image = volumes / volume, _image(volumes, volume)
    if not image.exists():
        if folder.exists():
            return  # made as a folder, where there were no loop devices
        volumes.mkdir(parents=True, exist_ok=True)
        _format(image, gib)
    folder.mkdir(exist_ok=True)
    if folder.is_mount():
        return
    try:
        run(["mount", "-o", "loop", str(image), str(folder)])
    except RegionError as error:
        if not _never_mounted(image):
            raise
        log.warning("a volume without a limit of its own", volume=volume, reason=str(error))
        image.unlink()


def has_its_own_limit(volumes: Path, volume: str) -> bool:
    """Whether the volume is a file system of its own, mounted now."""
    return (volumes / volume).is_mount()


def unmount_all(volumes: Path) -> None:
    """Undo every `ensure_file_system`; data stays."""
    if volumes.exists():
        for folder in volumes.iterdir():
            if folder.is_mount():
                run(["umount", "--lazy", str(folder)])


def release(folder: Path) -> None:
    """Take all volumes from a host that is gone, and drop its folder."""
    mounted = _mount_points()
    shown = folder / "ebs"
    if shown.exists():
        for target in shown.iterdir():
            _detach(target, mounted)
    shutil.rmtree(folder, ignore_errors=True)


def delete(volumes: Path, volume: str) -> None:
    """Drop a volume's data: DeleteVolume was answered."""
    if has_its_own_limit(volumes, volume):
        run(["umount", str(volumes / volume)])
    shutil.rmtree(volumes / volume, ignore_errors=True)
    _image(volumes, volume).unlink(missing_ok=True)


def release_all(instances: Path) -> None:
    """Undo `prepare` and every attachment; data stays."""
    for point in sorted(
        (p for p in _mount_points() if p == str(instances) or p.startswith(f"{instances}/")), reverse=True
    ):
        run(["umount", "--lazy", point])


def _image(volumes: Path, volume: str) -> Path:
    return volumes / f"{volume}.ext4"


def _format(image: Path, gib: int) -> None:
    """Make the file system under another name first: a half-made one is never taken for the volume."""
    new = image.with_suffix(".new")
    new.unlink(missing_ok=True)
    with new.open("wb") as file:
        file.truncate(gib * GIB)
    run(
        [
            "mkfs.ext4",
            "-q",
            "-F",
            "-m",
            "0",
            "-i",
            str(OCTETS_PER_INODE),
            "-J",
            f"size={JOURNAL_MIB}",
            "-E",
            "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
            str(new),
        ]
    )
    new.rename(image)


def _never_mounted(image: Path) -> bool:
    """Whether nothing can be in it: ext4 notes when it was last mounted (`s_mtime`, at 44 of the superblock)."""
    with image.open("rb") as file:
        file.seek(1024 + 44)
        return file.read(4) == bytes(4)


def _detach(target: Path, mounted: set[str]) -> None:
    if str(target) in mounted:
        run(["umount", "--lazy", str(target)])
    # Never a recursive removal here: should the mount still be there, its data would go.
    os.rmdir(target)


def _mount_points() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4].replace("\\040", " ") for line in lines}

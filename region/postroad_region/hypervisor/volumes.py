"""EBS volumes: folders that outlive their instances, shown in a host while they are attached.

A simplification: a volume is a folder that appears mounted at `/mnt/ebs/<volume-id>`, not a block device; its size
isn't enforced. A folder is removed only when the API was told to delete the volume; what the API merely doesn't know
is kept.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from postroad_region.command import run


def prepare(instances: Path) -> None:
    """Make the folder that hosts share a mount whose changes reach them (mount_namespaces(7), shared subtrees)."""
    instances.mkdir(parents=True, exist_ok=True)
    if str(instances) not in _mount_points():
        run(["mount", "--bind", str(instances), str(instances)])
        run(["mount", "--make-rshared", str(instances)])


def ensure_attached(volumes: Path, folder: Path, wanted: tuple[str, ...]) -> None:
    """Show exactly the wanted volumes in the host that `folder` belongs to."""
    mounted = _mount_points()
    shown = folder / "ebs"
    shown.mkdir(parents=True, exist_ok=True)
    for volume in wanted:
        target = shown / volume
        if str(target) not in mounted:
            (volumes / volume).mkdir(parents=True, exist_ok=True)
            target.mkdir(exist_ok=True)
            run(["mount", "--bind", str(volumes / volume), str(target)])
    for target in shown.iterdir():
        if target.name not in wanted:
            _detach(target, mounted)


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
    shutil.rmtree(volumes / volume, ignore_errors=True)


def release_all(instances: Path) -> None:
    """Undo `prepare` and every attachment; data stays."""
    for point in sorted(
        (p for p in _mount_points() if p == str(instances) or p.startswith(f"{instances}/")), reverse=True
    ):
        run(["umount", "--lazy", point])


def _detach(target: Path, mounted: set[str]) -> None:
    if str(target) in mounted:
        run(["umount", "--lazy", str(target)])
    # Never a recursive removal here: should the mount still be there, its data would go.
    os.rmdir(target)


def _mount_points() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4].replace("\\040", " ") for line in lines}

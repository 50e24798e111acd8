"""Volumes of their own size, filled until the file system itself says that nothing is left."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from postroad_region.errors import RegionError
from postroad_region.faults import ballast
from postroad_region.faults.enforcer import Enforcer
from postroad_region.faults.file import FaultsFile
from postroad_region.hypervisor import volumes

pytestmark = pytest.mark.root

VOLUME = "vol-0123456789abcdef0"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounts need root")
    made = tmp_path / "volumes"
    yield made
    volumes.unmount_all(made)


@pytest.fixture
def root(folder: Path) -> Path:
    volumes.ensure_file_system(folder, VOLUME, 1)
    if not volumes.has_its_own_limit(folder, VOLUME):
        pytest.skip("no loop devices on this machine")
    return folder / VOLUME


def write(root: Path, size: int) -> None:
    with (root / "message").open("ab", buffering=0) as file:
        written = 0
        while written < size:
            written += file.write(bytes(min(65536, size - written)))


def refusal(root: Path, size: int) -> int | None:
    try:
        write(root, size)
    except OSError as error:
        return error.errno
    return None


def test_a_volume_has_the_size_that_was_asked_for_and_takes_little_of_the_machines(root: Path) -> None:
    state = os.statvfs(root)
    assert 0.9 < state.f_blocks * state.f_frsize / (1 << 30) <= 1
    assert (root.parent / f"{VOLUME}.ext4").stat().st_blocks * 512 < 64 << 20


def test_its_content_outlives_its_mount(folder: Path, root: Path) -> None:
    (root / "kept").write_text("mail")
    volumes.unmount_all(folder)
    assert not (root / "kept").exists()
    volumes.ensure_file_system(folder, VOLUME, 1)
    assert (root / "kept").read_text() == "mail"


def test_a_half_made_volume_is_made_anew(folder: Path) -> None:
    folder.mkdir()
    (folder / f"{VOLUME}.new").write_bytes(b"half")
    volumes.ensure_file_system(folder, VOLUME, 1)
    assert (folder / VOLUME).is_dir()
    assert not (folder / f"{VOLUME}.new").exists()


def test_a_volume_that_was_a_folder_stays_one(folder: Path) -> None:
    (folder / VOLUME).mkdir(parents=True)
    volumes.ensure_file_system(folder, VOLUME, 1)
    assert not volumes.has_its_own_limit(folder, VOLUME)


def test_a_deleted_volume_leaves_nothing(folder: Path, root: Path) -> None:
    volumes.delete(folder, VOLUME)
    assert list(folder.iterdir()) == []


def test_a_full_disk_refuses_to_write_until_it_is_given_back(root: Path) -> None:
    ballast.lay(root, 0)
    assert refusal(root, 65536) == errno.ENOSPC
    ballast.lift(root)
    (root / "message").unlink()
    assert refusal(root, 10 << 20) is None


def test_a_disk_runs_full_when_what_was_left_is_written(root: Path) -> None:
    ballast.lay(root, 4 << 20)
    assert refusal(root, 3 << 20) is None
    # Laid once: what was written since isn't given back by the next pass.
    ballast.lay(root, 4 << 20)
    assert refusal(root, 4 << 20) == errno.ENOSPC


def test_less_or_more_can_be_left_afterwards(root: Path) -> None:
    ballast.lay(root, 0)
    ballast.lay(root, 8 << 20)
    assert refusal(root, 7 << 20) is None


def test_without_inodes_files_can_be_written_but_not_made(root: Path) -> None:
    write(root, 1)
    ballast.take_inodes(root)
    with pytest.raises(OSError, match="No space left"):
        (root / "another").touch()
    assert refusal(root, 65536) is None
    ballast.give_inodes(root)
    (root / "another").touch()


def test_the_enforcer_fills_and_empties_what_the_file_says(tmp_path: Path, folder: Path, root: Path) -> None:
    file = FaultsFile(tmp_path / "faults.json")

    def look() -> None:
        enforcer = Enforcer(file, folder)
        enforcer.begin(instances={}, volumes=[VOLUME])
        enforcer.apply_to_volumes([VOLUME])

    file.update(lambda faults: faults.with_disk(VOLUME, free=0))
    look()
    look()
    assert refusal(root, 65536) == errno.ENOSPC
    file.update(lambda faults: faults.with_disk(VOLUME, free=None))
    look()
    assert refusal(root, 65536) is None


def test_a_plain_folder_cannot_be_full(tmp_path: Path, folder: Path) -> None:
    (folder / VOLUME).mkdir(parents=True)
    file = FaultsFile(tmp_path / "faults.json")
    file.update(lambda faults: faults.with_disk(VOLUME, free=0))
    enforcer = Enforcer(file, folder)
    enforcer.begin(instances={}, volumes=[VOLUME])
    with pytest.raises(RegionError, match="a plain folder without a size of its own"):
        enforcer.apply_to_volumes([VOLUME])

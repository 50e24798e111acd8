from pathlib import Path

import pytest
from postroad.watched import WatchedFiles


def test_a_file_is_read_again_when_it_changes_and_only_then(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    read: list[str] = []
    watched = WatchedFiles("a file", lambda: [file], lambda: read.append(file.read_text()))
    assert not watched.poll()
    new = tmp_path / "new"
    new.write_text("two")
    new.rename(file)
    assert watched.poll()
    assert not watched.poll()
    assert read == ["two"]


def test_an_error_is_told_once_for_each_change(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    watched = WatchedFiles("a file", lambda: [file], lambda: int(file.read_text()) and None)
    file.write_text("no number")
    with pytest.raises(ValueError):
        watched.poll()
    assert not watched.poll()
    file.write_text("2")
    assert watched.poll()


def test_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    read = []
    watched = WatchedFiles("a folder", lambda: sorted(tmp_path.iterdir()), lambda: read.append(1))
    (tmp_path / "a").write_text("x")
    assert watched.poll()
    (tmp_path / "a").unlink()
    assert watched.poll()

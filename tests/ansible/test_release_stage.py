"""What a host unpacks is what the id names, all of it and nothing else."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import release_stage


def release(tree: Path) -> str:
    """A tree of two files with its manifest; its id."""
    (tree / "wheelhouse").mkdir(parents=True)
    (tree / "requirements.txt").write_text("")
    (tree / "wheelhouse" / "postroad.whl").write_text("wheel")
    names = ("requirements.txt", "wheelhouse/postroad.whl")
    lines = [f"{hashlib.sha256((tree / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (tree / "MANIFEST").write_text("".join(lines))
    return "0.1.0-" + hashlib.sha256((tree / "MANIFEST").read_bytes()).hexdigest()[:12]


def test_what_the_manifest_names_is_taken(tmp_path: Path) -> None:
    release_stage.check_manifest(str(tmp_path / "tree"), release(tmp_path / "tree"))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda tree: (tree / "wheelhouse" / "postroad.whl").write_text("other"), "isn't what the manifest says"),
        (lambda tree: (tree / "wheelhouse" / "extra.whl").write_text("x"), "wheelhouse/extra.whl is not both"),
        (lambda tree: (tree / "requirements.txt").unlink(), "requirements.txt is not both"),
        (lambda tree: (tree / "MANIFEST").write_text(""), "holds a manifest with hash"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path: Path, harm: Callable[[Path], object], told: str) -> None:
    tree = tmp_path / "tree"
    name = release(tree)
    harm(tree)
    with pytest.raises(release_stage.RefusedError, match=told):
        release_stage.check_manifest(str(tree), name)


def test_an_archive_that_is_not_there_is_said_with_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_stage, "TRIES", 1)
    with pytest.raises(release_stage.RefusedError, match=r"none\.tar\.gz can't be fetched"):
        release_stage.fetch((tmp_path / "none.tar.gz").as_uri(), str(tmp_path / "target"))

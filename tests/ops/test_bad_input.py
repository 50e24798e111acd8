"""What an operator gets wrong is said at once, in a line that tells what to do, before anything is touched."""

import shutil
from pathlib import Path

import pytest
from postroad_ops import moves, places, stack
from postroad_ops.faults import OperationError
from rich.console import Console

FILE = "mail/Pulumi.local.yaml"


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """The projects' stack files, to be broken."""
    for project in places.PROJECTS:
        (tmp_path / project).mkdir()
        shutil.copy(places.ROOT / "pulumi" / project / "Pulumi.local.yaml", tmp_path / project)
    return tmp_path


def test_the_settings_of_the_region_are_right(projects: Path) -> None:
    stack.check_settings("local", folder=projects)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("size_gib: 10", "size_gib: ten", "size_gib"),
        ("size_gib: 10", "size_gibs: 10", "size_gibs"),
        ("config:", "config: [", "Pulumi.local.yaml"),
        ("zones: [us-east-1a, us-east-1b, us-east-1c]", "zones: [us-east-1a, mars-1b]", "mars-1b"),
    ],
)
def test_a_broken_stack_file_is_named_with_what_is_wrong_in_it(projects: Path, old: str, new: str, told: str) -> None:
    content = (projects / FILE).read_text()
    assert old in content
    (projects / FILE).write_text(content.replace(old, new, 1))
    with pytest.raises(OperationError) as refused:
        stack.check_settings("local", folder=projects)
    assert told in str(refused.value)
    assert "Pulumi.local.yaml" in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_a_stack_file_that_is_not_there_is_said(projects: Path) -> None:
    (projects / FILE).unlink()
    with pytest.raises(OperationError, match="local"):
        stack.check_settings("local", folder=projects)


@pytest.mark.parametrize("release", ["xyz", "0.1.0", "0.1.0-4ac0", "../etc/passwd"])
def test_what_is_no_release_is_refused_before_any_host_is_asked(release: str) -> None:
    with pytest.raises(OperationError, match="is no release"):
        moves.deploy(Console(), release)

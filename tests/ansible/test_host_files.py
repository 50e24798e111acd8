"""A role's files in one round trip: what is as it should be isn't touched."""

import os
from pathlib import Path
from typing import Any

import host_files
import pytest

pytestmark = pytest.mark.root


class Refused(Exception):
    """The module failed."""


class Module:
    """What `Wanted` needs of AnsibleModule."""

    def __init__(self, *, check_mode: bool = False, verdict: int = 0) -> None:
        self.check_mode, self.verdict, self.commands = check_mode, verdict, []

    def run_command(self, command: list[str]) -> tuple[int, str, str]:
        self.commands.append(command)
        return self.verdict, "", "bad syntax"

    def fail_json(self, msg: str) -> None:
        raise Refused(msg)


def ensure(path: Path, module: Module | None = None, **entry: Any) -> bool:
    empty = {
        "content": None,
        "link": None,
        "mode": None,
        "owner": "root",
        "group": None,
        "validate": None,
        "absent": False,
    }
    return host_files.Wanted(module or Module(), {**empty, "path": str(path), **entry}).ensure()


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert ensure(path, content="a\n")
    assert not ensure(path, content="a\n")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a\n", 0o644)


def test_permissions_are_restored(tmp_path: Path) -> None:
    path = tmp_path / "file"
    ensure(path, content="a", mode="0600")
    path.chmod(0o666)
    assert ensure(path, content="a", mode="0600")
    assert path.stat().st_mode & 0o777 == 0o600


def test_refused_content_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    ensure(path, content="good")
    with pytest.raises(Refused, match="the old one stays: bad syntax"):
        ensure(path, Module(verdict=1), content="bad", validate="/bin/check %s")
    assert path.read_text() == "good"
    assert os.listdir(tmp_path) == ["file"]


def test_check_mode_tells_and_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert ensure(path, Module(check_mode=True), content="a")
    assert os.listdir(tmp_path) == []


def test_a_link_moves_to_another_target(tmp_path: Path) -> None:
    path = tmp_path / "link"
    assert ensure(path, link="one")
    assert ensure(path, link="two")
    assert not ensure(path, link="two")
    assert os.readlink(path) == "two"


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert ensure(path, mode="0750")
    assert not ensure(path, mode="0750")
    assert path.stat().st_mode & 0o777 == 0o750


def test_what_must_not_be_there_is_removed_once(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://elsewhere")
    assert ensure(tmp_path / "sources.list", Module(check_mode=True), absent=True)
    assert ensure(tmp_path / "sources.list", absent=True)
    assert not ensure(tmp_path / "sources.list", absent=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_wanted_goes_and_nothing_else(tmp_path: Path) -> None:
    keys, outside = tmp_path / "keys", tmp_path / "outside"
    for path in (keys / "a.test" / "new.pem", keys / "a.test" / "old.pem", keys / "b.test" / "old.pem", outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (keys / "link").symlink_to(tmp_path)
    wanted = {str(keys), str(keys / "a.test"), str(keys / "a.test" / "new.pem")}
    gone = ["a.test/old.pem", "b.test", "b.test/old.pem", "link"]
    for check_mode in (True, False):
        removed = host_files.remove_others(str(keys), wanted, check_mode=check_mode)
        assert sorted(removed) == [str(keys / name) for name in gone]
    assert host_files.remove_others(str(keys), wanted, check_mode=False) == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.test", "keys", "new.pem", "outside"]

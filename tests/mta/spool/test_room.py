import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from postroad.spool.room import Room


def room(monkeypatch: pytest.MonkeyPatch, *, octets: int, inodes: int, all_inodes: int = 1000) -> Room:
    stat = SimpleNamespace(f_bavail=octets, f_frsize=1, f_files=all_inodes, f_favail=inodes)
    monkeypatch.setattr(os, "statvfs", lambda _folder: stat)
    return Room(Path("/spool"), 100, lambda: 0.0, min_free_inodes=10)


def test_octets_and_inodes_must_both_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert room(monkeypatch, octets=100, inodes=10).enough()
    few = room(monkeypatch, octets=99, inodes=10)
    assert not few.enough()
    assert few.shortage == "less than 100 octets free in /spool"
    none = room(monkeypatch, octets=100, inodes=9)
    assert not none.enough()
    assert none.shortage == "fewer than 10 inodes free in /spool"


def test_a_file_system_without_a_number_of_inodes_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert room(monkeypatch, octets=100, inodes=0, all_inodes=0).enough()

"""What the peers come from: found, or its absence told in one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postroad_bench.mta import packages
from postroad_bench.mta.haraka import Haraka
from postroad_bench.mta.sink import smtp_sink
from postroad_ops.faults import OperationError


@pytest.fixture(autouse=True)
def fresh_answers() -> Iterator[None]:
    yield
    packages.install.cache_clear()
    packages.haraka.cache_clear()


def test_what_is_installed_is_not_installed_again() -> None:
    assert packages.install("bash") is None


def test_a_machine_without_npm_has_no_haraka(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages.haraka.cache_clear()
    assert Haraka().missing() == "no node or npm on this machine"


def test_a_machine_without_debians_packages_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages.install.cache_clear()
    assert packages.install("postfix") == "postfix comes from Debian, and this machine isn't one"
    with pytest.raises(OperationError, match="apt-get install postfix"), smtp_sink():
        pass


def test_haraka_s_lock_names_no_registry() -> None:
    lock = (packages.HARAKA / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 300

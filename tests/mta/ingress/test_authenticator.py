"""What a check of a password costs, and what it may not."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from postroad.build import Build
from postroad.ingress import authenticator as module
from postroad.ingress.authenticator import BUSY, INVALID, LOCKED, Authenticator
from postroad.metrics import MtaMetrics
from postroad.smtp.sasl import Credentials
from postroad.tenants.lockout import Lockout
from postroad.tenants.passwords import Cost, PasswordHash
from postroad.tenants.tenant import Tenant

ACME = Tenant.of("acme", ["acme.test"])
CHEAP = Cost(4, 1, 1)


class Log:
    def warning(self, *_: object, **__: object) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "identities"
    write(path, f"a acme {PasswordHash.of('right', CHEAP)}\n")
    return path


def write(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were really checked."""
    seen: list[str] = []
    verify = PasswordHash.verify

    def counted(self: PasswordHash, password: str) -> bool:
        seen.append(password)
        return verify(self, password)

    monkeypatch.setattr(PasswordHash, "verify", counted)
    return seen


def new(file: Path, failures: int = 1000) -> Authenticator:
    clock = asyncio.get_running_loop().time
    lockout = Lockout(failures=failures, window=60, duration=60, clock=clock)
    return Authenticator(file, {"acme": ACME}, lockout, metrics=MtaMetrics(Build("0", "0")), log=Log())


async def ask(authenticator: Authenticator, password: str, *, identity: str = "a", count: int = 1) -> list[Any]:
    answers: list[Any] = []
    all_there = asyncio.Event()

    def done(answer: Tenant | bytes) -> None:
        answers.append(answer)
        if len(answers) == count:
            all_there.set()

    for _ in range(count):
        authenticator.authenticate(Credentials(identity, password), "192.0.2.1", done)
    await all_there.wait()
    return answers


async def test_connections_that_come_together_cost_one_check_and_later_ones_none(file: Path, checks: list[str]) -> None:
    authenticator = new(file)
    assert await ask(authenticator, "right", count=30) == [ACME] * 30
    assert await ask(authenticator, "right") == [ACME]
    assert checks == ["right"]
    authenticator.close()


async def test_wrong_passwords_and_unknown_names_are_checked_each_time(file: Path, checks: list[str]) -> None:
    authenticator = new(file)
    assert await ask(authenticator, "wrong") == [INVALID]
    assert await ask(authenticator, "wrong") == [INVALID]
    assert await ask(authenticator, "right", identity="nobody") == [INVALID]
    assert await ask(authenticator, "", identity="nobody") == [INVALID]
    assert len(checks) == 4
    authenticator.close()


async def test_a_changed_password_is_not_remembered(file: Path, checks: list[str]) -> None:
    authenticator = new(file)
    await ask(authenticator, "right")
    write(file, f"a acme {PasswordHash.of('other', CHEAP)}\n")
    authenticator.reload()
    assert await ask(authenticator, "right") == [INVALID]
    write(file, "")
    authenticator.reload()
    assert await ask(authenticator, "other") == [INVALID]
    authenticator.close()


async def test_only_so_many_checks_wait(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(PasswordHash, "verify", lambda _self, _password: go_on.wait(20) and False)
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    authenticator = new(file)
    waiting = [asyncio.ensure_future(ask(authenticator, f"wrong{number}")) for number in range(3)]
    await asyncio.sleep(0)
    assert await ask(authenticator, "one more") == [BUSY]
    go_on.set()
    assert await asyncio.gather(*waiting) == [[INVALID]] * 3
    authenticator.close()


async def test_who_is_locked_out_costs_no_check(file: Path, checks: list[str]) -> None:
    authenticator = new(file, failures=2)
    await ask(authenticator, "wrong", count=2)
    assert await ask(authenticator, "right") == [LOCKED]
    assert checks == ["wrong"]
    authenticator.close()

import pytest
from postroad.tenants import lockout as module
from postroad.tenants.lockout import Lockout, network_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(failures=3, window=60, duration=600, clock=clock)


def test_an_address_that_fails_too_often_is_locked_for_a_while(lockout: Lockout, clock: Clock) -> None:
    assert [lockout.failed("192.0.2.1", f"identity{number}") for number in range(3)] == [False, False, True]
    assert lockout.locked("192.0.2.1", "anybody")
    assert not lockout.locked("192.0.2.2", "identity0")
    clock.now = 599
    assert lockout.locked("192.0.2.1", "anybody")
    clock.now = 600
    assert not lockout.locked("192.0.2.1", "anybody")
    assert not lockout.failed("192.0.2.1", "x")


def test_failures_that_lie_apart_lock_nothing(lockout: Lockout, clock: Clock) -> None:
    for _ in range(10):
        lockout.failed("192.0.2.1", "a")
        clock.now += 31
        assert not lockout.locked("192.0.2.1", "a")


def test_an_identity_guessed_at_from_everywhere_is_locked_but_for_who_used_it(lockout: Lockout) -> None:
    lockout.succeeded("198.51.100.1", "a")
    for number in range(3):
        lockout.failed(f"192.0.2.{number}", "a")
    assert lockout.locked("192.0.2.9", "a")
    assert not lockout.locked("192.0.2.9", "b")
    assert not lockout.locked("198.51.100.1", "a")


def test_a_right_password_does_not_buy_more_guesses(lockout: Lockout) -> None:
    for number in range(3):
        lockout.succeeded("192.0.2.1", "own")
        lockout.failed("192.0.2.1", f"victim{number}")
    assert lockout.locked("192.0.2.1", "victim9")
    assert lockout.locked("192.0.2.1", "own")


def test_what_clients_make_it_remember_is_bounded(monkeypatch: pytest.MonkeyPatch, lockout: Lockout) -> None:
    monkeypatch.setattr(module, "MAX_TRACKED", 100)
    for number in range(1000):
        lockout.failed(f"10.0.{number >> 8}.{number & 255}", f"name{number}")
        lockout.succeeded(f"10.0.{number >> 8}.{number & 255}", f"name{number}")
    assert len(lockout._failures) <= 100
    assert len(lockout._known) <= 100


def test_a_client_is_its_ipv6_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")
    assert network_of("fe80::1%eth0") == "fe80::/64"


def test_what_another_process_checked_counts_here_and_is_not_told_again(clock: Clock) -> None:
    told: list[tuple[str, str, bool]] = []
    here = Lockout(failures=2, window=60, duration=60, clock=clock, tell=lambda *what: told.append(what))
    here.note("192.0.2.1", "ann", right=True)
    here.note("192.0.2.2", "ann", right=False)
    assert told == []
    assert here.failed("192.0.2.2", "ann")
    assert here.locked("192.0.2.2", "ann")
    assert here.locked("192.0.2.3", "ann")
    assert not here.locked("192.0.2.1", "ann")
    here.succeeded("192.0.2.4", "bob")
    assert told == [("192.0.2.2", "ann", False), ("192.0.2.4", "bob", True)]

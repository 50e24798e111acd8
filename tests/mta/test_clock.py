"""Time that doesn't jump, whatever the wall clock does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.clock import STEP, SteadyClock

DAY = 86400.0


class Machine:
    """A machine's clocks."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000.0
        self.elapsed = 1000.0
        self.boot = "first"

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds

    def restarts(self, *, after: float) -> None:
        self.boot += "'"
        self.wall += after
        self.elapsed = 5.0

    def clock(self) -> SteadyClock:
        """A process begins."""
        return SteadyClock(wall=lambda: self.wall, elapsed=lambda: self.elapsed, boot=lambda: self.boot)


@pytest.mark.parametrize("jump", [DAY, -3600.0, 10 * 365 * DAY])
def test_a_step_of_the_wall_clock_is_passed_over(jump: float) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    machine.wall += jump
    assert clock() == pytest.approx(before)
    machine.passes(60.0)
    assert clock() == pytest.approx(before + 60.0)
    assert clock.follow() == pytest.approx(jump)
    assert clock() == pytest.approx(before + 60.0)
    assert clock.wall(clock()) == pytest.approx(machine.wall)
    machine.wall -= jump
    assert clock.follow() == pytest.approx(0.0)
    assert clock() == pytest.approx(before + 60.0)


def test_a_wall_clock_that_is_slewed_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(1000):
        machine.passes(60.0)
        machine.wall += 0.03
        assert clock.follow() == 0.0
    assert clock() == pytest.approx(machine.wall)


@given(st.lists(st.tuples(st.floats(0, DAY), st.floats(-DAY, DAY)), max_size=20))
def test_time_never_goes_back_by_more_than_a_slew(life: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    last = clock()
    for seconds, jump in life:
        machine.passes(seconds)
        machine.wall += jump
        clock.follow()
        now = clock()
        assert now >= last - STEP - 1e-6
        last = now


@pytest.mark.parametrize("jump", [DAY, -3600.0])
@pytest.mark.parametrize("while_running", [True, False])
def test_a_new_process_goes_on_where_the_old_one_was(tmp_path: Path, jump: float, while_running: bool) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.keep(tmp_path)
    before = clock()
    if while_running:
        machine.wall += jump
        clock.follow()
        clock.keep(tmp_path)
    machine.passes(30.0)
    if not while_running:
        machine.wall += jump
    again = machine.clock()
    again.resume(tmp_path)
    assert again() == pytest.approx(before + 30.0)
    assert again.ahead == pytest.approx(jump)


def test_after_a_restart_of_the_machine_the_wall_clock_is_believed_but_never_back(tmp_path: Path) -> None:
    machine = Machine()
    machine.clock().keep(tmp_path)
    machine.restarts(after=DAY)
    clock = machine.clock()
    assert clock.resume(tmp_path) == 0.0
    clock.keep(tmp_path)
    before = clock()
    machine.restarts(after=-3600.0)
    clock = machine.clock()
    clock.resume(tmp_path)
    assert clock() == pytest.approx(before)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"time": "x", "elapsed": 1, "boot": "first"}', "\xff"])
def test_what_was_kept_and_cannot_be_read_is_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock").write_text(text, "latin-1")
    machine = Machine()
    assert machine.clock().resume(tmp_path) == 0.0


def test_the_wall_clock_is_believed_again_when_it_is_told_to() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += DAY
    assert clock.follow() == pytest.approx(DAY)
    clock.believe()
    assert clock() == machine.wall
    assert clock.follow() == 0.0

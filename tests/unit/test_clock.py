"""A steady clock follows time itself, whatever the wall clock is set to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waybill import clock
from waybill.clock import SteadyClock

BEGAN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Machine:
    """A machine with a wall clock that somebody sets."""

    def __init__(self) -> None:
        self.up = 1_000.0
        self.wall_off = timedelta()
        self.drift = 0.0
        self.steady = SteadyClock(self.wall, lambda: self.up)

    def wall(self) -> datetime:
        ran = self.up - 1_000.0
        return BEGAN + timedelta(seconds=ran * (1 + self.drift)) + self.wall_off

    def run(self, seconds: float, step: float = 0.5) -> list[datetime]:
        seen = []
        for _ in range(round(seconds / step)):
            self.up += step
            seen.append(self.steady())
        return seen

    @property
    def true(self) -> datetime:
        return BEGAN + timedelta(seconds=self.up - 1_000.0)


JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400), timedelta(days=-400)]


def test_undisturbed_it_is_the_wall_clock():
    machine = Machine()
    assert machine.run(60)[-1] == machine.wall() == machine.true
    assert machine.steady().utcoffset() == timedelta(0)


@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_of_the_wall_clock_fires_no_timer_early_or_twice(jump):
    machine = Machine()
    machine.run(5)
    due = machine.true + timedelta(seconds=30)
    machine.wall_off = jump
    seen = machine.run(60)
    fired = [moment for moment in seen if moment >= due]
    # 1 % of half a minute is the most that it may be early or late.
    real = BEGAN + timedelta(seconds=5.0 + 60.0 - len(fired) * 0.5)
    assert abs(real - due) <= timedelta(seconds=0.8)
    assert seen == sorted(seen), "a time that goes back would fire again"


@pytest.mark.parametrize("jump", JUMPS)
def test_it_comes_nearer_by_one_in_a_hundred(jump):
    machine = Machine()
    machine.run(1)
    machine.wall_off = jump
    machine.run(100)
    assert abs(machine.steady() - machine.true) == timedelta(seconds=1)


def test_a_small_correction_is_taken_over_whole():
    machine = Machine()
    machine.wall_off = timedelta(seconds=0.25)
    machine.run(30)
    assert machine.steady() == machine.wall()


def test_a_machine_that_drifts_is_followed():
    machine = Machine()
    machine.drift = 0.009
    machine.run(3_600)
    assert abs(machine.steady() - machine.wall()) < timedelta(milliseconds=10)


def test_being_asked_often_does_not_keep_it_from_slewing():
    machine = Machine()
    machine.wall_off = timedelta(hours=1)
    machine.run(1, step=0.000_01)
    assert machine.steady() - machine.true == pytest.approx(
        timedelta(seconds=0.01), abs=timedelta(microseconds=50)
    )


def test_a_process_that_was_stopped_finds_the_time_that_passed():
    machine = Machine()
    machine.run(1)
    machine.up += 3_600
    assert machine.steady() == machine.true


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1_000),
            st.timedeltas(timedelta(days=-400), timedelta(days=400)),
        ),
        max_size=30,
    )
)
def test_it_never_goes_back_and_never_runs_more_than_one_per_cent_off(steps):
    machine = Machine()
    last = machine.steady()
    for seconds, wall_off in steps:
        machine.up += seconds
        machine.wall_off = wall_off
        now = machine.steady()
        ran = (now - last).total_seconds()
        assert seconds * 0.99 - 2e-6 <= ran <= seconds * 1.01 + 2e-6
        last = now


def test_the_machines_own_clock_will_do():
    steady = SteadyClock()
    assert abs(steady() - clock.utc_now()) < timedelta(seconds=1)
    assert clock.elapsed() <= clock.elapsed()

"""What a dead process had in hand is counted, and after three deaths nobody takes it again."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from timeit import timeit

import pytest

from projections.deaths import REMEMBERED, Deaths
from projections.store import Store
from streams.agents.fate import StoreCalls
from streams.agents.in_hand import MOST_DEATHS, InHand, Slot

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POISON = "orders/3/17"
DYING = """
import os, signal, sys
from pathlib import Path
from streams.agents.in_hand import Slot
slot = Slot(Path(sys.argv[1]), sys.argv[2])
slot.taking(sys.argv[3].encode())
if sys.argv[4] == "done":
    slot.done()
os.kill(os.getpid(), signal.SIGKILL)
"""


class Counted:
    """The store's count, in memory."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}

    def count(self, _recorder: str, what: str, _at: datetime) -> None:
        self.times[what] = self.times.get(what, 0) + 1

    def known(self) -> Mapping[str, int]:
        return dict(self.times)

    def forget(self, what: str) -> None:
        del self.times[what]


def killed(folder: Path, name: str, what: str = POISON, then: str = "killed") -> None:
    subprocess.run([sys.executable, "-c", DYING, str(folder), name, what, then], check=False)


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def hand(tmp_path: Path, counted: Counted) -> InHand:
    calls = StoreCalls(local=True)
    return InHand(Slot(tmp_path, "me"), tmp_path, counted, calls, lambda: NOW)


async def test_what_three_died_of_is_poison(tmp_path, hand, counted):
    for number in range(MOST_DEATHS):
        await hand.learn()
        assert not hand.is_poison(POISON)
        killed(tmp_path, f"worker-{number}")
    await hand.learn()
    assert hand.is_poison(POISON)
    assert not hand.is_poison("orders/3/18")
    assert counted.times == {POISON: MOST_DEATHS}
    await hand.learn()
    assert counted.times == {POISON: MOST_DEATHS}, "the dead are counted once"


async def test_who_dies_with_empty_hands_accuses_nobody(tmp_path, hand, counted):
    killed(tmp_path, "worker-1", then="done")
    await hand.learn()
    assert counted.times == {}
    assert [path.name for path in tmp_path.iterdir()] == ["me.hand"]


async def test_the_living_are_not_taken_for_dead(tmp_path, hand, counted):
    other = Slot(tmp_path, "other")
    other.taking(POISON.encode())
    hand.taking(b"orders/0/1")
    await hand.learn()
    assert counted.times == {}


async def test_whoever_is_killed_at_random_accuses_nobody_for_long(tmp_path, hand, counted):
    for number in range(2 * MOST_DEATHS):
        killed(tmp_path, f"worker-{number}")
        await hand.learn()
        hand.taking(POISON.encode())
        hand.done()
        hand.survived(POISON)
        for forgetting in tuple(hand._forgetting):
            await forgetting
        assert counted.times == {}
        assert not hand.is_poison(POISON)


async def test_without_a_folder_deaths_are_not_counted_and_work_goes_on(counted, caplog):
    folder = Path("/proc/none")
    hand = InHand(Slot(folder, "me"), folder, counted, StoreCalls(local=True), lambda: NOW)
    hand.taking(b"orders/0/1")
    hand.done()
    await hand.learn()
    assert "will not be counted" in caplog.text


def test_it_costs_less_than_a_microsecond(tmp_path):
    slot = Slot(tmp_path, "me")
    what = POISON.encode()

    def once() -> None:
        slot.taking(what)
        slot.done()

    best = min(timeit(once, number=10_000) / 10_000 for _ in range(20))
    assert best < 1e-6


def test_deaths_are_kept_in_the_store(database_url):
    store = Store.open(database_url)
    try:
        deaths = Deaths(store)
        deaths.count("worker-1", POISON, NOW)
        deaths.count("worker-1", POISON, NOW)
        deaths.count("worker-2", POISON, NOW)
        deaths.count("worker-3", "orders/0/1", NOW)
        assert deaths.known() == {POISON: 2, "orders/0/1": 1}
        deaths.forget(POISON)
        assert deaths.known() == {"orders/0/1": 1}
        deaths.count("worker-4", POISON, NOW + REMEMBERED + timedelta(days=1))
        assert deaths.known() == {POISON: 1}
    finally:
        store.close()

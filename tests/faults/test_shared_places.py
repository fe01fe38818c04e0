"""Several drivers at one place: fair shares by priority, never more than it has, none for the dead."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_place import Shared, shared

from automl.ledger import Store
from automl.ledger.owner import LEASE

pytestmark = pytest.mark.faults


@pytest.fixture
def place(tmp_path: Path, any_store: Store) -> Iterator[Shared]:
    with shared(tmp_path / "studies", any_store) as found:
        yield found


def test_two_drivers_with_equal_budgets_end_together(place: Shared) -> None:
    for study in ("one", "two"):
        place.start(study, "budget.trials=80", drivers=2, seconds=0.5)
    place.ended()
    one, two = place.end_of("one"), place.end_of("two")
    assert place.most_at_once() == 4, "the whole place, and no more"
    assert abs(one - two) <= 0.1 * max(one, two), (one, two)
    assert "shares shelf with two-1" in place.log("one")
    with place.ledger() as ledger:
        assert {row.granted for row in ledger.shares().values()} == {0}, "all is given back"


def test_what_two_cannot_divide_goes_round(place: Shared) -> None:
    for study in ("one", "two"):
        place.start(study, "budget.trials=60", drivers=2, slots=3, seconds=0.5)
    place.ended()
    one, two = place.end_of("one"), place.end_of("two")
    assert place.most_at_once() == 3
    assert abs(one - two) <= 0.1 * max(one, two), (one, two)


def test_a_priority_of_two_to_one_gets_two_to_one(place: Shared) -> None:
    place.start("high", "budget.trials=120", "priority=high", drivers=2, slots=6)
    place.start("normal", "budget.trials=120", drivers=2, slots=6)
    place.ended()
    end = place.end_of("high")
    ratio = place.starts("high", end) / place.starts("normal", end)
    assert place.most_at_once() == 6
    assert ratio == pytest.approx(2.0, rel=0.15)


def test_the_slots_of_a_killed_driver_are_used_by_the_others(place: Shared) -> None:
    place.start("one", "budget.trials=1000")
    killed = place.start("two", "budget.trials=1000")
    place.until(lambda: place.running("one") == 2 and place.running("two") == 2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    began = time.monotonic()
    place.until(lambda: place.running("one") == 4)
    assert time.monotonic() - began < LEASE
    place.until(lambda: "has shelf for itself" in place.log("one"))


def test_three_campaigns_take_turns_in_one_slot(place: Shared) -> None:
    for study in ("one", "two", "three"):
        place.start(study, "budget.trials=30", drivers=3, slots=1)
    place.ended()
    ends = [place.end_of(study) for study in ("one", "two", "three")]
    assert place.most_at_once() == 1
    assert min(ends) >= 0.6 * max(ends), "none had the slot until it had ended"
    assert any("waits for its turn" in place.log(study) for study in ("one", "two", "three"))


def test_a_priority_is_changed_while_a_campaign_runs(place: Shared) -> None:
    place.start("one", "budget.trials=1000", slots=6)
    place.start("two", "budget.trials=1000", slots=6)
    place.until(lambda: place.running("one") + place.running("two") == 6)
    code, said = place.command("queue", "--priority", "two=20")
    assert code == 0, said
    changed = time.monotonic() + 2.0  # both hear of it within a second
    time.sleep(14.0)
    starts = Counter(one.study for one in place.events() if one.starts and one.at > changed)
    assert 1.5 <= starts["two"] / starts["one"] <= 2.7, starts

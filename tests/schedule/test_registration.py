from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from schedule_examples import HOUR, NOON, Runs, states, study

from automl import schedule
from automl.contracts import UserError
from automl.ledger import Ledger, Store


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cron": "0 0 2 * * *"}, "five fields"),
        ({"cron": "0 2 * *"}, "five fields"),
        ({"cron": "0 0 31 2 *"}, "0 0 31 2"),
        ({"cron": "61 * * * *"}, "61"),
        ({"cron": "0 2 * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"cron": "0 2 * * *", "timezone": "../etc/passwd"}, "passwd"),
        ({"cron": None}, "has none"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(ledger: Ledger, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        schedule.add(ledger, study(**keys), Path("x.yaml"))
    assert schedule.list_schedules(ledger) == []


def test_adding_again_replaces(any_ledger: Ledger, planned: Any, tmp_path: Path) -> None:
    planned()
    planned("other")
    schedule.pause(any_ledger, "nightly")
    schedule.add(
        any_ledger, study(cron="5 4 * * *", timezone="Asia/Tokyo", catchup=60.0), tmp_path / "b.yaml"
    )
    first, second = schedule.list_schedules(any_ledger)
    assert (first.study, first.cron, first.timezone, first.catchup) == (
        "nightly",
        "5 4 * * *",
        "Asia/Tokyo",
        60.0,
    )
    assert first.file == str(tmp_path / "b.yaml") and first.paused
    assert second.study == "other"


def test_an_unknown_name_is_reported_with_the_nearest_one(ledger: Ledger) -> None:
    schedule.add(ledger, study(), Path("x.yaml"))
    for act in (schedule.remove, schedule.pause, schedule.resume):
        with pytest.raises(UserError, match="did you mean 'nightly'"):
            act(ledger, "nihgtly")


def test_slots_of_a_pause_stay_skipped(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.pause(any_ledger, "nightly")
    runs = Runs()
    assert schedule.tick(any_store, runs, now=NOON + 2 * HOUR) == []
    assert any_ledger.pause_schedule("nightly", False, NOON + 3.5 * HOUR)
    schedule.tick(any_store, runs, now=NOON + 3.6 * HOUR)
    schedule.tick(any_store, runs, now=NOON + 4 * HOUR)
    assert states(any_ledger) == [(1, "skipped"), (4, "done")]


def test_resuming_what_is_not_paused_changes_nothing(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.resume(any_ledger, "nightly")
    assert states(any_ledger) == [(1, "ready")]
    assert schedule.list_schedules(any_ledger)[0].planned_until == NOON + HOUR


def test_a_removed_schedule_starts_nothing_more(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.remove(any_ledger, "nightly")
    assert schedule.tick(any_store, Runs(), now=NOON + 2 * HOUR) == []
    assert states(any_ledger) == [(1, "skipped")]

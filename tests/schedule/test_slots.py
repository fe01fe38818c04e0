from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from schedule_examples import HOUR, NOON, row

from automl import schedule


def moments(cron: str, timezone: str, first: str, last: str) -> list[str]:
    zone = ZoneInfo(timezone)
    start, end = (datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() for text in (first, last))
    slots = schedule.slots_between(row(cron, timezone), start, end)
    return [datetime.fromtimestamp(slot, zone).isoformat() for slot in slots]


def test_a_time_that_does_not_exist_fires_once_right_after() -> None:
    found = moments("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00")
    assert found == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_time_that_comes_twice_fires_at_the_first() -> None:
    found = moments("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00")
    assert found == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/15 * * * *", "0 */2 * * *", "15,45 1-3 * * *"])
def test_slots_do_not_depend_on_how_often_one_looks(day: str, cron: str) -> None:
    """Looking every 7 minutes over a change of clocks finds each slot of one long look, once."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=zone).timestamp()
    end = start + 6 * HOUR
    whole = list(schedule.slots_between(row(cron, "Europe/Berlin"), start, end))
    pieces: list[float] = []
    now = start
    while now < end:
        pieces += schedule.slots_between(row(cron, "Europe/Berlin"), now, min(now + 420, end))
        now += 420
    assert pieces == whole == sorted(set(whole))
    assert len(whole) >= 1


def test_next_slot_is_shown_in_its_zone() -> None:
    found = schedule.next_slot(row("0 2 * * *", "Europe/Paris"), NOON)
    assert found.isoformat() == "2026-01-11T02:00:00+01:00"

"""A scheduled week with a gate, on a simulated clock: who is the champion after each night."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from promoting_example import write_study

from automl import promoting, schedule
from automl.campaign import Wanted, run_campaign
from automl.config import load_study
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store
from automl.progress import progress_for
from automl.promoting import rollback
from automl.promoting.at_end import is_owed, owed_by_firing
from automl.recorder.experiments import make_client
from automl.storage import open_ledger, prepare

MIDNIGHT = 1768089600.0  # 2026-01-11 00:00 UTC
DAY, NIGHT = 86400.0, 7200.0
GATE = "{beats: [champion], automatically: true}\nschedule: {cron: '0 2 * * *'}"


class Night:
    """The process of a campaign that has ended, with an exit status."""

    def __init__(self, status: int) -> None:
        self.status = status

    def poll(self) -> int:
        return self.status

    def terminate(self) -> None:
        return

    kill = terminate

    def wait(self, timeout: float | None = None) -> int:
        return self.status


class GatedWeek:
    """Nights of one study whose models are so good each night; `killed`: nights that die before the gate."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.file, self.store, self.killed = write_study(folder, GATE), store, set[int]()
        self.night, self.told = 0, list[str]()
        prepare(store)
        with open_ledger(store) as ledger:
            row = schedule.add(ledger, load_study(self.file), self.file)
            ledger.put_schedule(ScheduleRow(**{**vars(row), "planned_until": MIDNIGHT}))

    def run(self, qualities: Iterable[float]) -> None:
        for quality in qualities:
            self.night += 1
            (self.file.parent / "quality.txt").write_text(str(quality))
            schedule.tick(self.store, self.launch, now=MIDNIGHT + (self.night - 1) * DAY + NIGHT)

    def launch(self, planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Night:
        """What `automl run --firing` does, in this process."""
        study = load_study(planned.file)
        with open_ledger(store) as ledger:
            campaign = owed_by_firing(ledger, firing.id)
        wanted = Wanted(firing=firing.id)
        campaign = campaign or run_campaign(study, store=store, wanted=wanted, progress=progress_for("quiet"))
        if self.night in self.killed:
            self.killed.remove(self.night)
            return Night(-9)
        with open_ledger(store) as ledger:
            self.told.append(promoting.at_end(ledger, store, campaign, study.promote).told)
        return Night(0)


def champion(store: Store) -> str:
    return str(make_client(store).get_registered_model("gated").aliases.get("champion"))


@pytest.mark.slow
def test_a_week_promotes_what_is_better_and_refuses_what_is_not(any_store: Store) -> None:
    week = GatedWeek(any_store.folder.parent, any_store)
    week.run([0.5])
    assert champion(any_store) == "1"
    week.run([0.4])
    assert champion(any_store) == "1" and "is not promoted: beats champion" in week.told[-1]
    week.run([0.7])
    assert champion(any_store) == "2" and "is the champion of gated, after version 1" in week.told[-1]
    with Ledger(any_store) as ledger:
        rollback(ledger, any_store, "gated")
        assert champion(any_store) == "1"
        assert [firing.state for firing in ledger.firings("gated")] == ["done"] * 3
        actions = [(row.action, row.campaign) for row in ledger.promotions("gated")]
    assert actions == [
        ("promote", "gated-1"),
        ("refuse", "gated-2"),
        ("promote", "gated-3"),
        ("rollback", "gated-1"),
    ]


@pytest.mark.slow
def test_a_night_that_is_killed_before_the_gate_is_judged_when_it_is_tried_again(store: Store) -> None:
    week = GatedWeek(store.folder.parent, store)
    week.killed = {1}
    week.run([0.5])
    with Ledger(store) as ledger:
        (row,) = ledger.campaigns("gated")
        (firing,) = ledger.firings("gated")
        assert firing.state == "done" and not is_owed(ledger, row)
        assert [one.action for one in ledger.promotions("gated")] == ["promote"]
    assert champion(store) == "1" and len(week.told) == 1

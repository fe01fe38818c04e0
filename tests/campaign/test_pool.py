"""One pool over all searches: the least spent goes first, and messages reach the search of their trial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from search_examples import ListSearch

from automl.campaign.clock import CampaignClock
from automl.campaign.limits import CampaignLimits, Pace
from automl.campaign.outlook import Outlook
from automl.campaign.pool import Pool
from automl.campaign.search import Incumbent
from automl.campaign.slots import Slots
from automl.config import Limits
from automl.contracts import Candidate, Outcome, Report, RunError, TrialState
from automl.progress import QuietProgress


class FreeLease:
    """A lease that nobody takes over, or that `lost` says has been taken over."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise RunError("another process has taken over s-1")


def pool(*searches: ListSearch, lease: Any = None, slots: int = 1, **limits: Any) -> Pool:
    campaign = CampaignLimits(Limits(**limits), CampaignClock(), searches)
    return Pool(searches, lease or FreeLease(), QuietProgress(), campaign, Slots(slots))


def test_the_search_that_has_spent_the_least_goes_first() -> None:
    jobs = pool(ListSearch("dear", 9.0), ListSearch("cheap", 1.0, jobs=2))
    names = [job and job.trial for job in (jobs.next_job() for _ in range(4))]
    assert names == ["s-1/cheap/0/0", "s-1/cheap/0/1", "s-1/dear/0/0", None]


def test_retrainings_wait_for_the_trials_of_all_searches() -> None:
    jobs = pool(ListSearch("done", 1.0, jobs=0, finals=1), ListSearch("busy", 9.0))
    names = [job and job.trial for job in (jobs.next_job() for _ in range(3))]
    assert names == ["s-1/busy/0/0", "s-1/done/0/final-0", None]
    assert jobs.finished


def test_a_campaign_learns_where_one_of_its_searches_does() -> None:
    one, other = ListSearch("one", 1.0), ListSearch("other", 2.0)
    one.settings = replace(one.settings, learns=False)
    assert pool(one, other).learns and not pool(one).learns


def test_messages_reach_the_search_of_their_trial() -> None:
    one, other = ListSearch("one", 1.0), ListSearch("other", 2.0)
    jobs = pool(one, other)
    for _ in range(2):
        jobs.next_job()
    assert jobs.report("s-1/other/0/0", "token", Report(1, 0.5, 0.1)) == "pruned"
    assert jobs.time_left("s-1/one/0/0", "token", 2.0) == 1.0
    jobs.lost("s-1/other/0/0", "token", "its worker died")
    jobs.finish("s-1/one/0/0", "token", Outcome(TrialState.PRUNED, 0.1))
    assert one.calls == ["time left s-1/one/0/0 2", "finish s-1/one/0/0"]
    assert other.calls == ["report s-1/other/0/0", "lost s-1/other/0/0"]


@pytest.mark.parametrize(("own", "given"), [(None, 8.0), (3.0, 3.0), (20.0, 8.0), (0.0, 0.0)])
def test_what_is_left_of_a_limit_and_of_a_budget(own: float | None, given: float) -> None:
    search = ListSearch("one", 1.0)
    search.remaining, search.devices_held = own, 2.0  # as its jobs hold
    job = pool(search, device_seconds=8).next_job()
    assert job is not None and job.remaining == given, "a rest of 0 is nothing, not any amount"


class StillClock(CampaignClock):
    """A clock that a test sets."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


def reserving(*searches: ListSearch) -> tuple[Pool, StillClock]:
    clock = StillClock()
    limits = CampaignLimits(Limits(wall_seconds=100, reserve=True), clock, searches)
    return Pool(searches, FreeLease(), QuietProgress(), limits, Slots(1)), clock  # type: ignore[arg-type]


def with_value(arm: str, value: float, outlook: Outlook, **keys: Any) -> ListSearch:
    search = ListSearch(arm, value, finals=1, **keys)
    search.best, search.outlook = Incumbent(value, f"s-1/{arm}/0/0", {}), outlook
    return search


def test_searches_end_in_time_for_what_follows_them() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1, score=5.0, start=3.0), jobs=3)
    other = with_value("other", 0.3, Outlook(fit=20.0, missing=1, score=2.0, start=2.0), jobs=3)
    jobs, clock = reserving(one, other)
    job = jobs.next_job()
    assert job is not None and job.remaining == 2 * (100 - 10 - 5 - 1.5 * 3 - 20 - 2), "on two devices"
    clock.seconds = 57.5
    assert jobs.time_left(job.trial, "token", 0.0) == 1.0 and not one.stopped
    clock.seconds = 60.5
    assert jobs.time_left(job.trial, "token", 0.0) < 0 and f"cut {job.trial}" in one.calls
    jobs.finish(job.trial, "token", Outcome(TrialState.PRUNED, 0.1))
    names = [job and job.trial for job in (jobs.next_job() for _ in range(3))]
    assert names == ["s-1/one/0/final-0", "s-1/other/0/final-0", None], "the best winner comes first"
    assert "is for the retrainings" in one.stopped and jobs.limits.met is None, "no limit is reached yet"


def test_another_worker_that_waits_leaves_more_time() -> None:
    outlook = Outlook(fit=10.0, missing=1, score=5.0, start=3.0)
    for restart, expected in ((None, 80.5), (0.0, 85.0), (4.0, 81.0)):
        one = with_value("one", 0.2, outlook, jobs=3)
        jobs, clock = reserving(one)
        jobs.limits.pace = Pace(restart=lambda restart=restart: restart)
        assert jobs.limits.for_trials().seconds == expected, "the start of another worker"
        one.counts.add(TrialState.COMPLETE, 20.0)  # ten seconds on two devices
        clock.seconds = expected - 5.0
        job = jobs.next_job()
        assert job is not None and job.trial.endswith("final-0" if restart != 0.0 else "/0")


def test_what_follows_two_searches_runs_side_by_side() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1, score=1.0))
    other = with_value("other", 0.3, Outlook(fit=6.0, missing=1, score=1.0))
    jobs, _ = reserving(one, other)
    assert jobs.limits.for_trials().seconds == 100 - 10 - 6 - 2
    jobs.limits.pace = Pace(at_once=2, reading=0.5)
    assert jobs.limits.for_trials().seconds == 100 - 10 - 2 * 1.5


def test_no_trial_starts_that_would_be_killed() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1), jobs=2)
    one.counts.add(TrialState.COMPLETE, 12.0)  # six seconds on two devices
    jobs, clock = reserving(one)
    clock.seconds = 83.0
    assert jobs.next_job() is not None and not one.stopped
    clock.seconds = 84.5
    job = jobs.next_job()
    assert job is not None and job.trial == "s-1/one/0/final-0" and one.stopped


def test_a_first_value_leaves_time_for_its_own_retraining() -> None:
    search = ListSearch("one", 0.2)
    search.needs_value = True
    job = reserving(search)[0].next_job()
    assert job is not None and job.remaining == pytest.approx(2 * 100 / 3)
    search = ListSearch("one", 0.2)
    search.needs_value = True
    job = pool(search, wall_seconds=100).next_job()
    assert job is not None and job.remaining is not None and job.remaining > 199, "without a reserve, all"


def test_a_dear_second_winner_keeps_no_search_from_going_on() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1))
    other = with_value("other", 0.3, Outlook(fit=60.0, missing=1))
    assert reserving(one, other)[0].limits.for_trials().seconds == 90.0


def test_what_is_left_goes_to_the_best_winner() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1, score=9.0), jobs=0)
    other = with_value("other", 0.3, Outlook(fit=10.0, missing=1, score=1.0), jobs=0)
    jobs, clock = reserving(other, one)
    clock.seconds = 95.0
    job = jobs.next_job()
    assert job is not None and job.trial == "s-1/one/0/final-0" and job.deadline == 5.0
    assert not jobs.limits.fits(9.0) and jobs.limits.fits(4.0)
    assert jobs.next_job() is None and other.stopped, "no time is left for the other one"


def test_the_fit_on_all_rows_may_use_all_that_is_left() -> None:
    """Also of a winner that was not the best by its folds."""
    one = with_value("one", 0.2, Outlook(fit=4.0, score=1.0, refit=1.5), jobs=0)
    other = with_value("other", 0.3, Outlook(fit=10.0, score=1.0, refit=1.5), jobs=0)
    jobs, clock = reserving(one, other)
    clock.seconds = 80.0
    assert jobs.limits.for_retraining(other).seconds == pytest.approx(20 - 2 * 1.0 - 1.3 * 1.5 * 4.0)
    other.refits = True
    assert jobs.limits.for_retraining(other).seconds == 20.0, "the test of the other one is over"


def test_an_ensemble_is_fitted_in_the_time_that_the_test_and_other_winners_leave() -> None:
    one = with_value("one", 0.2, Outlook(fit=10.0, missing=1, score=4.0, members=8.0), jobs=0)
    other = with_value("other", 0.3, Outlook(fit=5.0, missing=1, score=1.0, members=30.0), jobs=0)
    jobs, clock = reserving(other, one)
    assert jobs.limits.for_trials().seconds == 100 - (10 + 4 + 8) - (5 + 1 + 15), "15 % for members, at most"
    one.candidates = [Candidate("s-1/one/0/0", {}, 0.2, 1.0)]
    clock.seconds = 60.0
    job = jobs.next_job()
    assert job is not None and job.remaining == pytest.approx(2 * (40 - 4 - (5 + 1 + 15))), "on two devices"
    assert job.deadline == 40.0
    job = jobs.next_job()
    assert job is not None and job.trial == "s-1/other/0/final-0" and job.remaining is None, "it is alone"


def test_a_campaign_that_was_taken_over_starts_nothing() -> None:
    lease = FreeLease()
    jobs = pool(ListSearch("one", 1.0), lease=lease)
    lease.lost = True
    with pytest.raises(RunError, match="taken over"):
        jobs.next_job()


def test_searches_with_a_budget_on_the_clock_begin_when_a_worker_is_free() -> None:
    searches = [ListSearch(name, 0.0, jobs=2, wall_seconds=9.0) for name in "abc"]
    jobs = pool(*searches, slots=2)
    names = [job and job.trial for job in (jobs.next_job() for _ in range(5))]
    assert names == ["s-1/a/0/0", "s-1/a/0/1", "s-1/b/0/0", "s-1/b/0/1", "s-1/c/0/0"]


def test_the_number_of_slots_is_followed() -> None:
    slots = Slots(1)
    searches = [ListSearch(name, 0.0, wall_seconds=9.0) for name in "ab"]
    limits = CampaignLimits(Limits(), CampaignClock(), searches)
    jobs = Pool(searches, FreeLease(), QuietProgress(), limits, slots)  # type: ignore[arg-type]
    assert (job := jobs.next_job()) is not None and job.trial == "s-1/a/0/0"
    searches[0].runs = True
    assert jobs.next_job() is None
    slots.most = 2
    assert (job := jobs.next_job()) is not None and job.trial == "s-1/b/0/0"


def test_a_limit_of_trials_counts_retrainings_and_stops_every_search() -> None:
    one, other = ListSearch("one", 1.0, finals=1), ListSearch("other", 2.0, jobs=2)
    jobs = pool(one, other, trials=3)
    names = [job and job.trial for job in (jobs.next_job() for _ in range(4))]
    assert names == ["s-1/one/0/0", "s-1/other/0/0", "s-1/other/0/1", None]
    assert one.stopped == other.stopped == jobs.limits.met
    assert one.stopped == "limits: the campaign has started its 3 trials, retrainings and retries"


def test_device_seconds_of_the_campaign_are_used_by_all_open_trials_at_once() -> None:
    one, other = ListSearch("one", 1.0, jobs=2), ListSearch("other", 2.0)
    jobs = pool(one, other, device_seconds=50.0)
    first, second = jobs.next_job(), jobs.next_job()
    assert first is not None and second is not None
    one.cost, one.devices_held, other.devices_held = 30.0, 2.0, 2.0
    assert jobs.time_left(first.trial, "token", 0.0) == 1.0, "its search allows less than the campaign"
    one.cost = 48.0
    assert jobs.time_left(first.trial, "token", 0.0) == pytest.approx(2.0 / 4)
    assert jobs.limits.met is None
    one.cost = 50.0
    assert jobs.time_left(first.trial, "token", 0.0) == 0.0
    assert one.calls[-1] == f"cut {first.trial}"
    one.pruned_by = None
    reason = jobs.report(first.trial, "token", Report(1, 0.5, 0.1))
    assert reason == jobs.limits.met == "limits: the campaign has used its 50 device-seconds"


def test_an_attempt_that_is_ended_late_is_cut_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = ListSearch("one", 1.0)
    jobs = pool(one, wall_seconds=1000.0)
    job = jobs.next_job()
    assert job is not None
    assert job.deadline == 60.0, "less than the campaign has left"
    monkeypatch.setattr(jobs.limits.clock, "now", lambda: 1000.5)
    jobs.finish(job.trial, "token", job.late(1.0))
    assert one.calls[-2:] == [f"cut {job.trial}", f"finish {job.trial}"]
    assert jobs.limits.met == "limits: the campaign has used its 1000 wall seconds"


def test_jobs_are_told_what_a_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = pool(ListSearch("one", 1.0, finals=1), wall_seconds=20.0)
    monkeypatch.setattr(jobs.limits.clock, "now", lambda: 5.0)
    job, final = jobs.next_job(), jobs.next_job()
    assert job is not None and final is not None
    assert (job.deadline, job.remaining) == (15.0, 30.0), "two devices are held"
    assert (final.deadline, final.remaining) == (15.0, None)

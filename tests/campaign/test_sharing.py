"""What a pool may start where others run too, and what a campaign says of itself to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from patience import PATIENCE
from search_examples import ListSearch

from automl.campaign.clock import CampaignClock
from automl.campaign.limits import CampaignLimits
from automl.campaign.pool import Pool
from automl.campaign.quota import Charged
from automl.campaign.sharing import Driven, Sharing, place_of
from automl.campaign.slots import Slots
from automl.checking.searches import LOSS
from automl.config import Limits
from automl.contracts import THIS_HOST, Executor, JobSource, Options, Outcome, Room, TrialState
from automl.ledger import Ledger, owner_identity, this_host
from automl.progress import CampaignStatus, QuietProgress

DONE = Outcome(TrialState.COMPLETE, 1.0, values=[0.5])


class Shelf(Executor):
    """Holds slots; a test takes its jobs itself."""

    place, turn = "shelf", 10.0

    def __init__(self, slots: int = 4) -> None:
        super().__init__(Options())
        self.trials_at_once, self.rooms = slots, (Room(slots),)

    def check(self) -> None: ...

    def run(self, source: JobSource) -> None: ...

    def close(self) -> None: ...


class Shown(QuietProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)

    def update(self, status: CampaignStatus) -> None:
        self.states = [one.state for one in status.searches]


class Lease:
    def check(self) -> None: ...


class Campaign:
    """A campaign that is driven, with a search of so many jobs."""

    def __init__(self, ledger: Ledger, study: str, jobs: int, *, priority: int = 10) -> None:
        name = ledger.create_campaign(study, {"name": study, "task": {"metrics": [vars(LOSS)]}}, "d", {}).id
        token = ledger.acquire(name, owner_identity())
        self.shown, self.search = Shown(), ListSearch("one", 0.0, jobs=jobs)
        limits = CampaignLimits(Limits(), CampaignClock(), [self.search])
        driven = Driven(name, token, priority, Charged(study, "ann", "end"))
        self.sharing = Sharing(ledger, driven, Shelf(), limits, self.shown)
        self.pool = Pool([self.search], Lease(), self.shown, limits, self.sharing.slots)  # type: ignore[arg-type]
        self.open: list[str] = []
        self.most = 0

    def take(self) -> int:
        """Start what may start; how many jobs are open."""
        while len(self.open) < 4 and (job := self.pool.next_job()) is not None:
            self.open.append(job.trial)
        self.most = max(self.most, len(self.open))
        return len(self.open)

    def end(self, number: int = 1) -> None:
        for _ in range(number):
            self.pool.finish(self.open.pop(0), "token", DONE)


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_pool_starts_nothing_beyond_its_share() -> None:
    search, slots = ListSearch("one", 0.0, jobs=5), Slots(4)
    limits = CampaignLimits(Limits(), CampaignClock(), [search])
    jobs = Pool([search], Lease(), QuietProgress(), limits, slots)  # type: ignore[arg-type]
    slots.share = 2
    opened = [jobs.next_job() for _ in range(3)]
    assert [job is not None for job in opened] == [True, True, False]
    assert (slots.held, slots.ready, jobs.share) == (2, True, 2)
    assert opened[0] is not None
    jobs.finish(opened[0].trial, "token", DONE)
    slots.share = 1
    assert jobs.next_job() is None and slots.held == 1, "nothing is ended, and nothing started"
    slots.share = None
    assert jobs.next_job() is not None


def test_an_executor_whose_workers_take_several_jobs_keeps_to_the_share_itself(any_ledger: Ledger) -> None:
    one, two = Campaign(any_ledger, "one", 100), Campaign(any_ledger, "two", 100)
    workers = one.sharing._executor
    workers.slots_held = 4
    with one.sharing.followed():
        for _ in range(12):
            assert one.pool.next_job() is not None, "they run one after the other in four slots"
        with two.sharing.followed():
            until(lambda: one.pool.share == 2)
            assert two.take() == 0, "the workers are still there, whatever jobs they have"
            assert one.pool.next_job() is not None
            workers.slots_held = 2
            until(lambda: two.take() == 2)


def test_a_pool_says_that_it_has_nothing_to_run() -> None:
    search, slots = ListSearch("one", 0.0, jobs=1), Slots(4)
    limits = CampaignLimits(Limits(), CampaignClock(), [search])
    jobs = Pool([search], Lease(), QuietProgress(), limits, slots)  # type: ignore[arg-type]
    assert jobs.next_job() is not None and slots.ready
    assert jobs.next_job() is None and not slots.ready
    slots.share = 0
    assert jobs.next_job() is None and not slots.ready, "also where it may not start anything"


def test_slot_seconds_are_summed_over_trials_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("automl.campaign.slots.time.monotonic", lambda: now[0])
    slots = Slots(4)
    for jobs, seconds in ((1, 2.0), (3, 1.0), (0, 5.0)):
        slots.hold(jobs)
        now[0] += seconds
    assert slots.slot_seconds() == 5.0
    slots.hold_workers(2, 4)
    now[0] += 3.0
    slots.hold(9)
    assert slots.slot_seconds() == 11.0


@pytest.mark.slow
def test_two_campaigns_share_and_the_second_gets_what_the_first_gives_back(any_ledger: Ledger) -> None:
    one, two = Campaign(any_ledger, "one", 100), Campaign(any_ledger, "two", 3)
    with one.sharing.followed():
        assert (one.take(), one.pool.share) == (4, None), "alone it has all, and no bound"
        with two.sharing.followed():
            assert two.take() == 0
            until(lambda: one.pool.share == 2)
            one.end(2)
            one.take()
            until(lambda: two.take() == 2)
            assert len(one.open) == 2, "what it gave back it does not take again"
            two.end()
            until(lambda: two.take() == 2 and not two.sharing.slots.ready)
            two.end(2)
            until(lambda: one.take() == 4), "what the other does not need"
        until(lambda: one.pool.share is None)
    assert any("shares shelf with two-1" in line for line in one.shown.lines)
    assert any("for itself, all 4 slots" in line for line in one.shown.lines)
    assert "waiting" in two.shown.states or two.most == 2


def test_a_larger_priority_gets_more(any_ledger: Ledger) -> None:
    one, two = Campaign(any_ledger, "one", 100, priority=30), Campaign(any_ledger, "two", 100)
    with one.sharing.followed(), two.sharing.followed():
        until(lambda: (one.pool.share, two.pool.share) == (3, 1))
        assert any_ledger.queue()[0].campaign.id == "one-1"


@pytest.mark.slow
def test_what_a_campaign_can_run_is_known_to_the_others_before_it_runs(any_ledger: Ledger) -> None:
    one, two = Campaign(any_ledger, "one", 1), Campaign(any_ledger, "two", 100)
    with one.sharing.followed(), two.sharing.followed():
        assert one.take() == 1
        until(lambda: two.take() == 3), "the first has one trial alone"


def test_places_have_names_that_no_other_has() -> None:
    shelf = Shelf()
    assert place_of(shelf) is not None
    shelf.place = THIS_HOST  # type: ignore[misc]
    found = place_of(shelf)
    assert found is not None and found.id == f"host {this_host()}" and found.rooms == (Room(4),)
    shelf.place = None  # type: ignore[misc,assignment]
    assert place_of(shelf) is None


def test_a_place_of_unknown_rooms_bounds_nobody(any_ledger: Ledger) -> None:
    one, two = Campaign(any_ledger, "one", 9), Campaign(any_ledger, "two", 9)
    for campaign in (one, two):
        campaign.sharing._executor.rooms = ()
    with one.sharing.followed(), two.sharing.followed():
        two.sharing.look()
        assert (one.pool.share, two.pool.share) == (None, None)


def test_a_row_of_the_ledger_is_what_a_campaign_said(any_ledger: Ledger) -> None:
    one = Campaign(any_ledger, "one", 2)
    with one.sharing.followed():
        one.take()
        one.sharing._said_at = 0.0
        one.sharing.look()
        row = any_ledger.shares()["one-1"]
        assert (row.held, row.wanted, row.granted, row.weight) == (2, 2, 4, 10)
    gone = any_ledger.shares()["one-1"]
    assert gone.left_at is not None and gone == replace(gone, held=0, wanted=0, granted=0, open_seconds=0.0)

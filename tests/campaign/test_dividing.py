"""What there is for trials is divided among searches whose trials hold different amounts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from search_examples import ListSearch

from automl.campaign import dividing
from automl.campaign.clock import CampaignClock
from automl.campaign.limits import CampaignLimits
from automl.campaign.pool import NOBODY, Pool
from automl.campaign.slots import Slots
from automl.config import Limits
from automl.contracts import Held, Outcome, Room, TrialState
from automl.progress import QuietProgress

GPU, TENTH = Held(1.0, 1.0), Held(1.0, 0.1)
TURN = 30.0


class Lease:
    def check(self) -> None:
        """It is ours."""


def search(name: str, held: Held, spent: float = 0.0, jobs: int = 50, **changes: Any) -> ListSearch:
    return ListSearch(name, spent, jobs=jobs, cpus=held.cpus, gpus=held.gpus, **changes)


def pool(*searches: ListSearch) -> Pool:
    limits = CampaignLimits(Limits(), CampaignClock(), searches)
    return Pool(searches, Lease(), QuietProgress(), limits, Slots(4), NOBODY)  # type: ignore[arg-type]


def test_each_size_gets_devices_by_its_searches() -> None:
    rooms = [Room(16.0, 2.0), Room(16.0, 2.0)]
    jobs = pool(search("supernet", GPU), search("proxy", TENTH))
    assert jobs.divide(rooms, None, TURN) == {GPU: 2, TENTH: 20}
    jobs = pool(search("supernet", GPU), search("a", TENTH), search("b", TENTH), search("c", TENTH))
    assert jobs.divide(rooms, None, TURN) == {GPU: 1, TENTH: 26}, "10 on the other GPU, 16 by the CPUs"


def test_what_one_size_cannot_use_is_the_others() -> None:
    rooms = [Room(16.0, 2.0)]
    few = pool(search("supernet", GPU, jobs=1, fixed={}), search("proxy", TENTH))
    assert few.divide(rooms, None, TURN) == {GPU: 1, TENTH: 10}
    given = few.next_job(GPU)
    assert given is not None and few.next_job(GPU) is None, "it had one job"
    done = pool(search("supernet", GPU, jobs=0), search("proxy", TENTH))
    assert done.divide(rooms, None, TURN) == {TENTH: 16}, "as many as there are CPUs"


def test_a_place_for_one_goes_round_by_what_each_has_had(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(dividing, "time", clock)
    rooms = [Room(16.0, 1.0)]
    large, small = search("supernet", GPU), search("proxy", TENTH)
    jobs = pool(large, small)
    assert jobs.divide(rooms, None, TURN) == {GPU: 0, TENTH: 10}, "equal: the small ones begin"
    small.pressure = 100.0  # device-seconds
    assert jobs.divide(rooms, None, TURN) == {GPU: 0, TENTH: 10}, "workers have just begun"
    clock.now = TURN
    assert jobs.divide(rooms, None, TURN) == {GPU: 1, TENTH: 0}
    large.pressure = 200.0
    clock.now = 1.5 * TURN
    assert jobs.divide(rooms, None, TURN) == {GPU: 1, TENTH: 0}
    clock.now = 2 * TURN
    assert jobs.divide(rooms, None, TURN) == {GPU: 0, TENTH: 10}


def test_nothing_stays_unused_for_a_turn() -> None:
    large, small = search("supernet", GPU, jobs=1, fixed={}), search("proxy", TENTH)
    jobs = pool(large, small)
    assert jobs.divide([Room(16.0, 2.0)], None, TURN) == {GPU: 1, TENTH: 10}
    given = jobs.next_job(GPU)
    assert given is not None
    jobs.finish(given.trial, given.token, Outcome(TrialState.COMPLETE, 1.0, values=[0.5]))
    assert jobs.divide([Room(16.0, 2.0)], None, TURN) == {TENTH: 16}, "it has ended"
    assert jobs.divide([Room(16.0, 1.0)], None, TURN) == {TENTH: 10}, "a node has gone"


def test_no_more_than_are_asked_for_run_at_a_time() -> None:
    jobs = pool(search("supernet", GPU), search("proxy", TENTH))
    assert sum(jobs.divide([Room(16.0, 4.0)], 5, TURN).values()) == 5


def test_a_job_of_a_size_is_of_a_search_of_that_size() -> None:
    jobs = pool(search("supernet", GPU, spent=9.0, jobs=1), search("proxy", TENTH, jobs=1))
    first = jobs.next_job(GPU)
    assert first is not None and first.held == GPU and first.trial == "s-1/supernet/0/0"
    assert jobs.next_job(GPU) is None and jobs.slots.ready, "the other size could use a slot"
    second = jobs.next_job(TENTH)
    assert second is not None and second.held == TENTH
    assert jobs.next_job(TENTH) is None and not jobs.slots.ready


@pytest.mark.parametrize("held", [None, TENTH])
def test_any_job_is_that_of_the_search_that_has_spent_the_least(held: Held | None) -> None:
    jobs = pool(search("supernet", GPU, spent=9.0), search("a", TENTH, spent=5.0), search("b", TENTH))
    first = jobs.next_job(held)
    assert first is not None and first.trial == "s-1/b/0/0"

"""One pool over all searches: the least spent goes first, and messages reach the search of their trial."""

from __future__ import annotations

from typing import Any

import pytest
from search_examples import ListSearch

from automl.campaign.pool import Pool
from automl.contracts import Outcome, Report, RunError, TrialState
from automl.progress import QuietProgress


class FreeLease:
    """A lease that nobody takes over, or that `lost` says has been taken over."""

    lost = False

    def check(self) -> None:
        if self.lost:
            raise RunError("another process has taken over s-1")


def pool(*searches: ListSearch, lease: Any = None) -> Pool:
    return Pool(searches, lease or FreeLease(), QuietProgress())


def test_the_search_that_has_spent_the_least_goes_first() -> None:
    jobs = pool(ListSearch("dear", 9.0), ListSearch("cheap", 1.0, jobs=2))
    names = [job and job.trial for job in (jobs.next_job() for _ in range(4))]
    assert names == ["s-1/cheap/0/0", "s-1/cheap/0/1", "s-1/dear/0/0", None]


def test_retrainings_wait_for_the_trials_of_all_searches() -> None:
    jobs = pool(ListSearch("done", 1.0, jobs=0, finals=1), ListSearch("busy", 9.0))
    names = [job and job.trial for job in (jobs.next_job() for _ in range(3))]
    assert names == ["s-1/busy/0/0", "s-1/done/0/final-0", None]
    assert jobs.finished


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


def test_a_campaign_that_was_taken_over_starts_nothing() -> None:
    lease = FreeLease()
    jobs = pool(ListSearch("one", 1.0), lease=lease)
    lease.lost = True
    with pytest.raises(RunError, match="taken over"):
        jobs.next_job()

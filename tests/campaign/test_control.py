"""What users ask of a running campaign: the pool starts, cuts and drops by it; the clock stands still."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from search_examples import ListSearch

from automl.campaign.clock import CampaignClock
from automl.campaign.control import Control
from automl.campaign.limits import CampaignLimits
from automl.campaign.pool import Pool
from automl.campaign.slots import Slots
from automl.config import Limits
from automl.contracts import Outcome, Report, RunError, TrialState
from automl.ledger import DriveRow, Ledger, RequestRow, Wish, Wishes
from automl.progress import CampaignStatus, QuietProgress


class FreeLease:
    def check(self) -> None:
        pass


class Asked:
    """What a user asks: `stops` by target, `paused`."""

    def __init__(self, *stops: str, paused: bool = False) -> None:
        found = {target: RequestRow(1, "s-1", target, "stop", "ann@one", 1.0) for target in stops}
        self.wishes, self.paused = Wishes(found), paused


class Shown(QuietProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)

    def update(self, status: CampaignStatus) -> None:
        self.states = [one.state for one in status.searches]


WORDS = "stopped by ann@one at 1970-01-01 00:00:01 UTC"


def pool(control: Asked, *searches: ListSearch, progress: QuietProgress | None = None) -> Pool:
    limits = CampaignLimits(Limits(), CampaignClock(), searches)
    return Pool(searches, FreeLease(), progress or QuietProgress(), limits, Slots(1), control)  # type: ignore[arg-type]


def test_a_paused_pool_starts_nothing_and_is_not_finished() -> None:
    asked, shown = Asked(paused=True), Shown()
    jobs = pool(asked, ListSearch("one", 1.0, jobs=1, finals=1), progress=shown)
    assert jobs.next_job() is None and not jobs.finished
    assert shown.states == ["paused"]
    asked.paused = False
    assert jobs.next_job() is not None


def test_a_stopped_search_is_ended_and_its_open_trial_is_cut_but_no_retraining() -> None:
    asked, one = Asked(), ListSearch("one", 1.0, jobs=2, finals=1)
    one.pruned_by = None
    jobs = pool(asked, one)
    assert jobs.next_job() is not None
    assert jobs.report("s-1/one/0/0", "token", Report(1, 0.5, 0.1)) is None
    asked.wishes = Asked("s-1/one/0").wishes
    assert jobs.time_left("s-1/one/0/0", "token", 1.0) == 0.0
    assert jobs.report("s-1/one/0/0", "token", Report(2, 0.5, 0.1)) == WORDS
    assert "cut s-1/one/0/0" in one.calls
    final = jobs.next_job()
    assert one.stopped == WORDS and final is not None and final.trial == "s-1/one/0/final-0"
    assert jobs.time_left("s-1/one/0/final-0", "token", 1.0) > 0.0, "its winner is retrained"
    asked.wishes = Asked("s-1/one/0/final-0").wishes
    assert jobs.time_left("s-1/one/0/final-0", "token", 1.0) == 0.0, "unless that is stopped itself"


def test_a_stopped_trial_is_cut_and_dropped_and_its_neighbours_go_on() -> None:
    asked, one = Asked(), ListSearch("one", 1.0, jobs=2)
    jobs = pool(asked, one)
    jobs.next_job()
    jobs.next_job()
    asked.wishes = Asked("s-1/one/0/1", "s-1/other/0/1", "s-1/one/0/99").wishes
    assert jobs.time_left("s-1/one/0/0", "token", 1.0) == 1.0
    assert jobs.time_left("s-1/one/0/1", "token", 1.0) == 0.0
    jobs.next_job()
    assert [call for call in one.calls if call.startswith("drop")] == [
        "drop s-1/one/0/1",
        "drop s-1/one/0/99",
    ]
    late = Outcome(TrialState.FAILED, 1.0, reason="deadline: the trial took longer than 9 s")
    jobs.finish("s-1/one/0/1", "token", late)
    assert one.calls[-2:] == ["cut s-1/one/0/1", "finish s-1/one/0/1"], "it is ended by the user, not late"


def test_a_stopped_campaign_ends_as_at_a_limit() -> None:
    one = ListSearch("one", 1.0, jobs=2, finals=1)
    jobs = pool(Asked(), one)
    jobs.next_job()
    jobs.limits.stopped = WORDS
    assert jobs.time_left("s-1/one/0/0", "token", 1.0) == 0.0
    assert jobs.next_job() is None and one.stopped == WORDS and jobs.finished
    assert jobs.limits.met == WORDS and jobs.limits.out_of_time(), "its test set stays sealed"


@pytest.fixture
def made(ledger: Ledger) -> Callable[..., Control]:
    ledger.create_campaign("s", {}, "d", {})

    def make(progress: QuietProgress | None = None, woken: list[int] | None = None) -> Control:
        limits = CampaignLimits(Limits(), CampaignClock(), [])
        wake = (lambda: None) if woken is None else (lambda: woken.append(1))
        return Control(ledger, "s-1", limits, progress or QuietProgress(), wake)

    return make


def ask(ledger: Ledger, wish: Wish, target: str = "s-1") -> RequestRow:
    request = ledger.ask("s-1", target, wish, "ann@one").request
    assert request is not None
    return request


def test_a_request_holds_before_it_is_noted_as_taken(
    ledger: Ledger, made: Callable[..., Control], monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    control = made(woken=woken)
    control.look()
    assert woken == []
    ask(ledger, "stop", "s-1/x/0")

    def down(ids: object) -> None:
        raise RunError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "take_requests", down)
        with pytest.raises(RunError):
            control.look()
    assert control.wishes.reason("s-1/x/0") and woken, "also when the store went away in between"
    assert ledger.requests("s-1")[0].done_at is None
    control.look()
    assert ledger.requests("s-1")[0].done_at is not None


def test_what_held_before_this_driver_is_told_once(ledger: Ledger, made: Callable[..., Control]) -> None:
    first, second = Shown(), Shown()
    ask(ledger, "pause")
    made(first).look()
    again = made(second)
    again.look()
    again.look()
    assert (
        [line.partition(" by ")[0] for line in second.lines]
        == ["s-1 is paused"]
        == [line.partition(" by ")[0] for line in first.lines]
    )
    ask(ledger, "resume")
    again.look()
    assert not again.paused and second.lines[-1].startswith("s-1 is resumed by ann@one")


def test_nothing_is_taken_of_a_campaign_that_ends(ledger: Ledger, made: Callable[..., Control]) -> None:
    control = made()
    ask(ledger, "stop")
    control.look()
    resumed = ask(ledger, "resume")
    control.look()
    assert control._limits.stopped, "its searches have ended: it cannot go on in this driver"
    assert [one.done_at for one in ledger.requests("s-1") if one.id == resumed.id] == [None]


def test_the_thread_looks_once_a_second(
    ledger: Ledger, made: Callable[..., Control], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.campaign.control.LOOK", 0.02)
    control = made()
    with control.followed():
        ask(ledger, "pause")
        end = time.monotonic() + 60.0
        while not control.paused:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_the_clock_stands_still_while_a_campaign_is_paused() -> None:
    clock = CampaignClock([DriveRow("s-1", 1, 100.0, 110.0)], time.monotonic() - 5.0)
    began = time.time() - 5.0
    whole = clock.at(began + 4.0)
    assert whole == pytest.approx(14.0, abs=0.2)
    clock.still = ((104.0, 106.0), (108.0, began + 1.0))
    assert clock.at(began + 4.0) == pytest.approx(whole - 2.0 - 2.0 - 1.0, abs=0.2), (
        "none between two drivers"
    )
    before = clock.now()
    clock.still = ((began + 5.0, float("inf")),)
    assert clock.now() == pytest.approx(15.0, abs=0.5) and before < clock.now()
    assert clock.at(105.0) == pytest.approx(5.0)

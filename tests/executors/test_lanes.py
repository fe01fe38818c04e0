"""Jobs in lanes: how many are handed ahead, to which lane, and how lanes end."""

from __future__ import annotations

from collections.abc import Callable

from lane_run import Run, ended, reported

from automl.contracts import TrialState
from automl.executors.tune.lane import AHEAD, RECENT, UNKNOWN, WORTH, Pace


def test_each_lane_has_one_job_until_trials_are_known_to_be_short(made: Callable[..., Run]) -> None:
    run = made(40)
    assert (run.held("a"), run.held("b")) == ([1], [2])
    run.tell("a", ended(1, 30.0))
    assert run.held("a") == [3], "none waits behind a long trial"
    run.tell("b", ended(2, 1.0))
    assert run.held("b") == [4, 5], "one waits behind trials of a second"
    for _ in range(25):
        run.tell("b", ended(run.held("b")[0], 0.0))
    assert len(run.held("b")) > 2, "more behind trials of no time"


def test_few_wait_while_few_have_ended(made: Callable[..., Run]) -> None:
    """A strategy is asked for what waits before it has heard of what runs."""
    run = made(400)
    for _ in range(200):
        run.tell("a", ended(run.held("a")[0], 0.0))
        waiting = len(run.held("a")) + len(run.held("b")) - 2
        assert waiting <= max(2, run.lanes.ended / UNKNOWN)
    assert len(run.held("a")) - 1 > 8, "and more of them later"


def test_lanes_are_filled_at_once_where_nothing_is_learnt(made: Callable[..., Run]) -> None:
    run = made(400, learns=False)
    run.tell("a", ended(1, 0.0))
    assert len(run.held("a")) == 1 + AHEAD and len(run.held("b")) == 1, "b has not ended a trial"


def test_lanes_beyond_a_share_end_with_their_jobs(made: Callable[..., Run]) -> None:
    run = made(9, slots=3)
    assert run.lanes.plan.wanted == 3 == run.slots.held
    run.source.bound = 1
    run.tell("a", ended(1, 30.0))
    assert run.lanes.by_name["a"].closing and run.held("b") == [2] and run.held("c") == [3]
    run.tell("b", ended(2, 30.0))
    run.tell("c", ended(3, 30.0))
    assert run.lanes.by_name["b"].closing and run.held("c"), "one is left, and has a job"
    for name in "ab":
        run.lanes.gone(name)
    assert run.slots.held == run.lanes.plan.wanted == 1


def test_no_lane_is_wanted_while_others_have_all_slots(made: Callable[..., Run]) -> None:
    run = made(9, slots=2)
    run.source.bound = 0
    run.tell("a", ended(1, 30.0))
    run.tell("b", ended(2, 30.0))
    assert run.lanes.plan.wanted == 0 and all(lane.closing for lane in run.lanes.by_name.values())


def test_one_slot_has_none_ahead(made: Callable[..., Run]) -> None:
    """So that a search is the same as on `local`: a strategy is asked when all results are told."""
    run = made(3, slots=1)
    run.tell("a", ended(1, 0.0))
    assert run.held("a") == [2]


def test_what_waits_follows_the_length_of_trials_and_of_exchanges() -> None:
    pace = Pace()
    assert pace.ahead == 0
    pace.took(1.0)
    assert pace.ahead == 1
    for _ in range(30):
        pace.turned(0.3)
    pace.took(0.01)
    assert 1 <= pace.ahead <= AHEAD
    for _ in range(40):
        pace.turned(0.001)
        pace.took(0.005)
    assert WORTH <= pace.ahead * 0.005 < 2 * WORTH, "an exchange has its worth, and no more"
    for _ in range(30):
        pace.took(0.0)
    assert pace.ahead == AHEAD
    pace.took(60.0)
    assert pace.ahead == 0
    for _ in range(RECENT):
        pace.took(0.0)
    assert pace.ahead == AHEAD, "a long one is soon forgotten"


def test_a_run_ends_with_all_lanes_closed(made: Callable[..., Run]) -> None:
    run = made(2)
    run.tell("a", ended(1))
    assert not run.lanes.finished
    run.tell("b", ended(2))
    assert run.lanes.finished and set(run.source.outcomes) == {"t1", "t2"}
    assert all(handle.given[-1] == {"close": True} for handle in run.handles.values())


def test_a_report_is_answered_and_a_pruned_trial_keeps_its_lane_until_it_has_ended(
    made: Callable[..., Run],
) -> None:
    run = made(3, slots=1)
    run.source.stop_at = {"t1": 2}
    for step in (1, 2, 3):
        run.tell("a", reported(1, step))
    assert run.handles["a"].all("answers") == [[1, True], [1, False], [1, False]]
    pruned = run.source.outcomes["t1"]
    assert (pruned.state, pruned.host, pruned.device) == (TrialState.PRUNED, "node-1", "card")
    assert len(run.source.reports["t1"]) == 2
    assert run.held("a") == [1]
    run.tell("a", ended(1))
    assert run.held("a") == [2] and run.source.outcomes["t1"].state is TrialState.PRUNED


def test_an_idle_lane_gets_what_waits_elsewhere(made: Callable[..., Run]) -> None:
    run = made(4)
    run.tell("a", ended(1, 1.0))
    run.tell("b", ended(2, 1.0))
    assert (run.held("a"), run.held("b")) == ([3, 4], [])
    run.lanes.look()
    run.tell("a", {"of": 4, "returned": True})
    assert (run.held("a"), run.held("b")) == ([3], [4])

"""Jobs that come back from lanes, lanes whose workers die or leave, and what that costs whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from lane_run import Run, ended, reported, silent

from automl.contracts import Ending, Held, RunError
from automl.executors.tune import dividing, starts
from automl.executors.tune import lanes as lanes_module
from automl.executors.tune.dividing import Place
from automl.executors.tune.lane import Running
from automl.signs import Signs


def test_a_trial_that_fails_by_its_nodes_fault_goes_back_free(made: Callable[..., Run]) -> None:
    run = made(3, slots=2)
    run.slots.broken = "gpu-2"
    run.tell("b", ended(2, 0.0))
    assert run.source.losses == [("t2", Ending.PREEMPTED, 0.0)] and run.lanes.by_name["b"].doomed
    run.slots.broken = ""
    run.tell("a", ended(1, 0.0))
    again = [handed.job.trial for handed in run.lanes.by_name["a"].jobs]
    assert again[0] == "t2" and "t2" not in run.source.outcomes, "elsewhere"


def test_the_code_of_a_pruned_trial_may_not_hold_its_lane_for_ever(made: Callable[..., Run]) -> None:
    run = made(2, slots=1)
    run.source.stop_at = {"t1": 1}
    run.tell("a", reported(1, 1))
    run.clock.now += lanes_module.ENDS + 1
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed
    run.lanes.died("a", "killed", Ending.LOST)
    assert not run.source.losses, "its end is known"


def test_a_worker_that_dies_with_one_job_has_lost_it(made: Callable[..., Run]) -> None:
    run = made(2)
    run.lanes.died("a", "its worker died", Ending.LOST)
    assert run.source.losses == [("t1", Ending.LOST, None)]


def test_workers_that_end_before_they_are_up_are_told_once(made: Callable[..., Run]) -> None:
    run = made(2, slots=1)
    for number in range(3):
        run.lanes.opened(f"n{number}", Place(Held(1, 0)))
        run.lanes.died(f"n{number}", "its worker died: no memory", Ending.OOM)
    (line,) = run.source.told
    assert line.endswith("no memory") and not run.source.losses


def test_workers_of_which_none_gets_up_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("automl.executors.tune.starts.time.monotonic", lambda: now[0])
    made, told = starts.Starts(), list[str]()
    for round_ in range(2):
        for _ in range(3 * starts.MOST):
            made.failed("no memory", told.append)
        made.worked()
        now[0] += starts.LONGEST * (round_ + 1)
    assert len(told) == 1, "many at once may be one node"
    for number in range(starts.MOST - 1):
        now[0] += starts.LONGEST / 3
        made.failed(f"no memory {number}", told.append)
    with pytest.raises(RunError, match=r"no worker starts: 20 in a row .* the last one: the end; finished"):
        made.failed("the end", told.append)


def test_what_a_worker_has_noted_is_paid_however_late_its_death_is_noticed(
    made: Callable[..., Run],
) -> None:
    run = made(2)
    for name, number in (("a", 1), ("b", 2)):
        run.tell(name, silent(number, 1.0))
        (handed,) = run.lanes.by_name[name].jobs
        Signs(Path(handed.job.workdir), handed.job.token, lambda one=handed: {one.job.token: 4.5}).write()
        run.clock.now += 60.0
        if name == "a":
            run.lanes.died(name, "its worker died", Ending.LOST)
        else:
            run.lanes.lose("Ray died", run.clock.now)
    assert run.source.losses == [("t1", Ending.LOST, 4.5), ("t2", Ending.PREEMPTED, 4.5)]


def test_nobody_pays_when_it_is_unclear_who_has_ended_a_worker_and_each_is_tried_alone(
    made: Callable[..., Run],
) -> None:
    run = made(9)
    run.tell("a", ended(1, 1.0))
    assert run.held("a") == [3, 4]
    run.lanes.died("a", "its worker died", Ending.LOST)
    assert run.source.losses == [("t3", Ending.PREEMPTED, 0.0), ("t4", Ending.PREEMPTED, 0.0)]
    run.start("c")
    assert len(run.held("c")) == 1
    (suspect,) = run.lanes.by_name["c"].jobs
    assert suspect.job.trial in ("t3", "t4")
    run.tell("b", ended(2, 1.0))
    assert len(run.held("b")) == 1, "the other one, alone too"
    run.lanes.died("c", "its worker died", Ending.LOST)
    assert run.source.losses[-1] == (suspect.job.trial, Ending.LOST, None), "alone it is clear"


def test_jobs_behind_a_trial_without_time_left_go_back_free(made: Callable[..., Run]) -> None:
    run = made(9)
    run.tell("a", ended(1, 1.0))
    run.tell("a", silent(3))
    run.source.left["t3"] = 0.0
    run.clock.now += 1.5
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed and not run.lanes.by_name["b"].doomed
    run.lanes.died("a", "killed", Ending.LOST)
    late = run.source.outcomes["t3"]
    assert (late.late, late.host, late.device) == (True, "node-1", "card")
    assert run.source.losses == [("t4", Ending.PREEMPTED, 0.0)]
    assert not run.lanes._alone


def test_a_waiting_job_without_time_left_never_begins(made: Callable[..., Run]) -> None:
    run = made(9)
    run.tell("a", ended(1, 1.0))
    run.source.left["t4"] = 0.0
    for _ in range(2):
        run.lanes.look()
    assert run.handles["a"].all("back") == [4] and not run.lanes.by_name["a"].doomed
    run.tell("a", {"of": 4, "returned": True})
    assert run.source.outcomes["t4"].late and run.source.outcomes["t4"].device_seconds == 0.0


def test_jobs_do_not_wait_behind_a_trial_that_turns_out_long(made: Callable[..., Run]) -> None:
    run = made(4)
    run.tell("a", ended(1, 1.0))
    assert run.held("a") == [3, 4]
    run.clock.now += 1.0
    run.lanes.look()
    assert not run.handles["a"].all("back")
    run.clock.now += 1.5
    run.lanes.look()
    assert run.handles["a"].all("back") == [4]
    run.tell("a", {"of": 4, "returned": True})
    run.tell("b", ended(2, 1.0))
    assert run.held("b") == [4] and not run.source.losses


def test_a_trial_goes_back_when_its_machine_is_taken_away(made: Callable[..., Run]) -> None:
    run = made(3)
    run.tell("a", {"leaves": True}, silent(1, 3.0))
    run.lanes.look()
    assert not run.lanes.by_name["a"].doomed, "it may reach its next report"
    run.tell("a", reported(1, 1, 4.0))
    run.clock.now += lanes_module.SAVES + 0.1
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed
    run.lanes.died("a", "killed", Ending.LOST)
    assert run.source.losses == [("t1", Ending.PREEMPTED, 4.0)]


def test_an_idle_worker_whose_machine_goes_gets_nothing_more(made: Callable[..., Run]) -> None:
    run = made(2)
    run.tell("a", ended(1))
    run.tell("a", {"leaves": True})
    run.source.waiting = [replace(run.source.open["t2"], trial="t3", token="t3")]
    run.lanes.look()
    assert run.held("a") == []
    run.clock.now += lanes_module.NOTICE + 0.1
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed


def test_a_job_waits_for_the_first_worker_and_may_be_late(made: Callable[..., Run]) -> None:
    run = made(2, slots=0)
    run.slots.count = 2
    run.lanes.opened("a", Place(Held(1.0)))
    run.lanes.look()
    assert [one.trial for one in run.lanes.unplaced()] == ["t1"]
    run.source.left["t1"] = 0.0
    run.lanes.look()
    assert run.source.outcomes["t1"].late
    run.start("b")
    assert run.held("b") == [2]


def test_lanes_close_when_the_cluster_becomes_smaller(made: Callable[..., Run]) -> None:
    run = made(9, slots=2)
    run.slots.count = 1
    run.lanes.look()
    run.tell("b", ended(2, 9.0))
    assert run.held("b") == [3], "it may be that a node with the other one has just died"
    run.clock.now += dividing.SETTLES
    run.tell("b", ended(3, 9.0))
    assert run.held("b") == [] and run.handles["b"].given[-1] == {"close": True}
    run.tell("a", ended(1, 9.0))
    assert run.held("a") == [4]


def test_the_cluster_is_gone(made: Callable[..., Run]) -> None:
    run = made(9)
    run.tell("a", ended(1, 1.0))
    run.tell("a", silent(3, 0.5))
    run.clock.now += 2.0
    run.lanes.lose("Ray died", run.clock.now)
    costs = {"t2": 0.0, "t3": 2.5, "t4": 0.0}  # told, and what passed since; not begun; loading
    assert {name: used for name, ending, used in run.source.losses} == costs
    assert {ending for _, ending, _ in run.source.losses} == {Ending.PREEMPTED}


def test_a_clock_goes_on_in_silence_once_the_trial_is_known_to_run(made: Callable[..., Run]) -> None:
    run = made(1)
    clock = run.clock
    known = Running(2.0)
    clock.now += 1.0
    assert known.elapsed == 0.0 and known.at(clock.now) == 0.0
    known.told(4.0)
    clock.now += 3.0
    assert (known.elapsed, known.last_sign, known.at(clock.now)) == (5.0, 4.0, 10.0)

"""Jobs in lanes: what is handed ahead, what comes back, and what a death costs whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from queue_source import job

from automl.checking.jobs import QueueSource
from automl.contracts import Ending, Job, Outcome, TrialState
from automl.executors.tune import handing
from automl.executors.tune import lane as lane_module
from automl.executors.tune import lanes as lanes_module
from automl.executors.tune.lane import AHEAD, Pace, Running
from automl.executors.tune.lanes import Lanes


class Source(QueueSource):
    """Keeps how jobs were lost; `left`: seconds that are left for trials by name; `bound`: its share."""

    def __init__(self, jobs: list[Job]) -> None:
        super().__init__(jobs)
        self.bound: int | None = None
        self.left: dict[str, float] = {}
        self.losses: list[tuple[str, Ending, float | None]] = []

    @property
    def share(self) -> int | None:
        return self.bound

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        assert trial in self.open, "time is asked for open trials only"
        return self.left.get(trial, 9.0)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        self.losses.append((trial, ending, used))
        self.waiting.insert(0, self.open.pop(trial))


class Handle:
    """An actor that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.give = self

    def remote(self, text: str) -> None:
        self.given.append(json.loads(text))

    @property
    def jobs(self) -> list[int]:
        return [number for given in self.given for number, _ in given.get("jobs", ())]

    def all(self, kind: str) -> list[Any]:
        return [each for given in self.given for each in given.get(kind, ())]


@dataclass
class Slots:
    count: int
    held: int = 0

    broken: str = ""

    def hold(self, lanes: int) -> None:
        self.held = lanes

    def fault(self, outcome: Outcome) -> str:
        return self.broken and f"its node {self.broken} is broken"

    @property
    def lanes(self) -> int:
        return max(1, self.count)


class Clock:
    """Monotonic time that a test moves on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        for module in (lane_module, lanes_module, handing):
            monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


class Run:
    """Lanes `a`, `b`, … that are up, and what they tell."""

    def __init__(self, folder: Path, clock: Clock, jobs: int, slots: int) -> None:
        plain = job("good", folder)
        self.source = Source([replace(plain, trial=f"t{n}", token=f"t{n}") for n in range(1, jobs + 1)])
        self.slots, self.clock = Slots(slots), clock
        self.lanes = Lanes(self.source, self.slots)  # type: ignore[arg-type]
        self.handles: dict[str, Handle] = {}
        for name in "abcdefgh"[:slots]:
            self.start(name)

    def start(self, name: str) -> None:
        self.handles[name] = Handle()
        self.lanes.opened(name)
        self.lanes.started(name, self.handles[name])

    def tell(self, name: str, *messages: dict[str, Any]) -> None:
        self.lanes.told(name, messages)

    def held(self, name: str) -> list[int]:
        return [handed.number for handed in self.lanes.by_name[name].jobs]


def ended(number: int, seconds: float = 0.0) -> dict[str, Any]:
    outcome = Outcome(TrialState.COMPLETE, seconds, values=[1.0])
    return {"of": number, "outcome": outcome.to_json(), "seconds": seconds}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    def make(jobs: int, slots: int = 2) -> Run:
        return Run(tmp_path, Clock(monkeypatch), jobs, slots)

    return make


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


def test_lanes_beyond_a_share_end_with_their_jobs(made: Callable[..., Run]) -> None:
    run = made(9, slots=3)
    assert run.lanes.wanted == 3 == run.slots.held
    run.source.bound = 1
    run.tell("a", ended(1, 30.0))
    assert run.lanes.by_name["a"].closing and run.held("b") == [2] and run.held("c") == [3]
    run.tell("b", ended(2, 30.0))
    run.tell("c", ended(3, 30.0))
    assert run.lanes.by_name["b"].closing and run.held("c"), "one is left, and has a job"
    for name in "ab":
        run.lanes.gone(name)
    assert run.slots.held == run.lanes.wanted == 1


def test_no_lane_is_wanted_while_others_have_all_slots(made: Callable[..., Run]) -> None:
    run = made(9, slots=2)
    run.source.bound = 0
    run.tell("a", ended(1, 30.0))
    run.tell("b", ended(2, 30.0))
    assert run.lanes.wanted == 0 and all(lane.closing for lane in run.lanes.by_name.values())


def test_a_trial_that_fails_by_its_nodes_fault_goes_back_free(made: Callable[..., Run]) -> None:
    run = made(3, slots=2)
    run.slots.broken = "gpu-2"
    run.tell("b", ended(2, 0.0))
    assert run.source.losses == [("t2", Ending.PREEMPTED, 0.0)] and run.lanes.by_name["b"].doomed
    run.slots.broken = ""
    run.tell("a", ended(1, 0.0))
    again = [handed.job.trial for handed in run.lanes.by_name["a"].jobs]
    assert again[0] == "t2" and "t2" not in run.source.outcomes, "elsewhere"


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
    for _ in range(30):
        pace.took(0.0)
    assert pace.ahead == AHEAD
    pace.took(60.0)
    assert pace.ahead == 0


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
        run.tell("a", {"of": 1, "report": {"step": step, "value": 0.5, "device_seconds": 0.1, "metrics": {}}})
    assert run.handles["a"].all("answers") == [[1, True], [1, False], [1, False]]
    assert run.source.outcomes["t1"].state is TrialState.PRUNED and len(run.source.reports["t1"]) == 2
    assert run.held("a") == [1]
    run.tell("a", ended(1))
    assert run.held("a") == [2] and run.source.outcomes["t1"].state is TrialState.PRUNED


def test_the_code_of_a_pruned_trial_may_not_hold_its_lane_for_ever(made: Callable[..., Run]) -> None:
    run = made(2, slots=1)
    run.source.stop_at = {"t1": 1}
    run.tell("a", {"of": 1, "report": {"step": 1, "value": 0.5, "device_seconds": 0.1, "metrics": {}}})
    run.clock.now += lanes_module.ENDS + 1
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed
    run.lanes.died("a", "killed", Ending.LOST)
    assert not run.source.losses, "its end is known"


def test_a_worker_that_dies_with_one_job_has_lost_it(made: Callable[..., Run]) -> None:
    run = made(2)
    run.lanes.died("a", "its worker died", Ending.LOST)
    assert run.source.losses == [("t1", Ending.LOST, None)]


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
    run.source.left["t3"] = 0.0
    run.clock.now += 1.5
    run.lanes.look()
    assert run.lanes.by_name["a"].doomed and not run.lanes.by_name["b"].doomed
    run.lanes.died("a", "killed", Ending.LOST)
    assert run.source.outcomes["t3"].late and run.source.losses == [("t4", Ending.PREEMPTED, 0.0)]
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


def test_an_idle_lane_gets_what_waits_elsewhere(made: Callable[..., Run]) -> None:
    run = made(4)
    run.tell("a", ended(1, 1.0))
    run.tell("b", ended(2, 1.0))
    assert (run.held("a"), run.held("b")) == ([3, 4], [])
    run.lanes.look()
    run.tell("a", {"of": 4, "returned": True})
    assert (run.held("a"), run.held("b")) == ([3], [4])


def test_a_trial_goes_back_when_its_machine_is_taken_away(made: Callable[..., Run]) -> None:
    run = made(3)
    run.tell("a", {"leaves": True}, {"of": 1, "elapsed": 3.0})
    run.lanes.look()
    assert not run.lanes.by_name["a"].doomed, "it may reach its next report"
    run.tell("a", {"of": 1, "report": {"step": 1, "value": 0.5, "device_seconds": 4.0, "metrics": {}}})
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
    run.lanes.opened("a")
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
    run.clock.now += handing.SETTLES
    run.tell("b", ended(3, 9.0))
    assert run.held("b") == [] and run.handles["b"].given[-1] == {"close": True}
    run.tell("a", ended(1, 9.0))
    assert run.held("a") == [4]


def test_the_cluster_is_gone(made: Callable[..., Run]) -> None:
    run = made(9)
    run.tell("a", ended(1, 1.0))
    run.tell("a", {"of": 3, "elapsed": 0.5})
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

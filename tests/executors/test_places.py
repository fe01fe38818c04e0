"""Several jobs at once in processes of their own, and one that waits to replace one that is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from queue_source import HERE, QueueSource, job

from automl.contracts import Needs, TrialState, UserError
from automl.executors.local import Local
from automl.executors.places import Places

NEEDS = Needs(import_path=[HERE], evaluators=[], spaces=[])


def run(tmp_path: Path, names: list[str], deadline: dict[str, float], **options: Any) -> QueueSource:
    executor = Local(Local.Options(**options))
    executor.check()
    try:
        executor.examine(NEEDS, print)
        limits = {name: {"deadline": deadline[name]} if name in deadline else {} for name in names}
        source = QueueSource([job(name, tmp_path, **limits[name]) for name in names])
        executor.run(source)
        return source
    finally:
        executor.close()


@pytest.mark.slow
def test_jobs_run_side_by_side_and_one_that_hangs_ends_alone(tmp_path: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core has room for one trial at a time")
    names = ["good", "sleeps_in_c", "raises", "swallows", "dies_once"]
    source = run(tmp_path, names, {"sleeps_in_c": 1.0}, trials_at_once=2)
    assert source.most_open == 2
    ends = {name: outcome.state for name, outcome in source.outcomes.items()}
    assert ends["good"] is ends["dies_once"] is TrialState.COMPLETE
    assert ends["raises"] is TrialState.FAILED
    assert source.outcomes["sleeps_in_c"].late


@pytest.mark.slow
def test_a_spare_process_takes_the_place_of_one_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("automl.executors.places.may_fork", lambda *_: False)
    executor = Local(Local.Options(spare=True))
    executor.check()
    assert executor.isolate and executor.restart is None
    try:
        executor.examine(NEEDS, print)
        executor.run(QueueSource([job("good", tmp_path), job("sleeps_in_c", tmp_path, deadline=8.0)]))
        assert executor.restart == 0.0, "it was started beside the second job, and has loaded all meanwhile"
        source = QueueSource([job("swallows", tmp_path)])
        executor.run(source)
        assert source.outcomes["swallows"].state is TrialState.COMPLETE
    finally:
        executor.close()


def test_a_process_that_loads_is_expected_when_others_were_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(1, spare=True)
    assert places.restart is None, "nothing is known"
    worker, spare = places._workers[0], places._spare
    worker.took, worker.ready, worker.job = 10.0, True, job("good", tmp_path)
    monkeypatch.setattr(type(spare), "lives", False)
    assert places.restart == 12.0, "it would have to be started"
    monkeypatch.setattr(type(spare), "lives", True)
    spare._prepares = time.monotonic() - 5.0
    assert places.restart == pytest.approx(7.0, abs=0.5)
    spare._prepares -= 100.0
    assert places.restart == 2.0, "it is late"
    spare.ready = True
    assert places.restart == 0.0


def test_what_this_machine_has_no_room_for_is_refused() -> None:
    cores = os.cpu_count() or 1
    with pytest.raises(UserError, match=f"{cores + 1} trials at once with 1 each"):
        Local(Local.Options(trials_at_once=cores + 1)).check()


def test_several_at_once_are_isolated_and_do_not_share_gpus() -> None:
    executor = Local(Local.Options(trials_at_once=2, gpus=1))
    assert executor.isolate and executor.trials_at_once == 2
    if (os.cpu_count() or 1) > 1:
        with pytest.raises(UserError, match="trials_at_once must be 1 for trials that hold GPUs"):
            executor.check()

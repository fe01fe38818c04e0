"""Jobs in a process of their own: reports, pruning, C calls that hang, deaths, and what a trial prints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from queue_source import QueueSource, job

from automl.contracts import TrialState
from automl.executors.local import Local


@pytest.fixture
def executor() -> Iterator[Local]:
    made = Local(Local.Options(isolate=True))
    made.check()
    yield made
    made.close()


@pytest.mark.slow
def test_jobs_report_are_pruned_and_fail_alone(executor: Local, tmp_path: Path) -> None:
    names = ["good", "swallows", "raises", "exits", "prints"]
    source = QueueSource([job(name, tmp_path) for name in names], stop_at={"swallows": 2})
    executor.run(source)
    ends = {name: outcome.state for name, outcome in source.outcomes.items()}
    assert ends["good"] is ends["prints"] is TrialState.COMPLETE
    assert ends["swallows"] is TrialState.PRUNED
    assert ends["raises"] is ends["exits"] is TrialState.FAILED
    assert [report.step for report in source.reports["good"]] == [1, 2, 3]


@pytest.mark.slow
def test_a_c_call_that_hangs_is_killed_and_the_next_job_runs(executor: Local, tmp_path: Path) -> None:
    names = ["sleeps_in_c", "stops_itself", "swallows_all"]
    jobs = [job(name, tmp_path, deadline=0.3) for name in names]
    source = QueueSource([*jobs, job("good", tmp_path)])
    start = time.monotonic()
    executor.run(source)
    for name in names:
        late = source.outcomes[name]
        assert (late.state, late.reason) == (
            TrialState.FAILED,
            "deadline: the trial took longer than 0.3 s",
        )
        assert 0.3 <= late.device_seconds < 15
    assert source.outcomes["good"].state is TrialState.COMPLETE
    assert time.monotonic() - start < 60


@pytest.mark.slow
def test_a_dead_process_loses_its_trial_alone(executor: Local, tmp_path: Path) -> None:
    source = QueueSource([job(name, tmp_path) for name in ("dies_once", "always_dies", "good")])
    executor.run(source)
    assert source.outcomes["dies_once"].values == [1.0], "the second attempt goes on from the checkpoint"
    assert source.losses["always_dies"] == 2 * ["its worker died by SIGKILL"]
    assert source.outcomes["good"].state is TrialState.COMPLETE

"""Jobs in a process of their own: reports, pruning, C calls that hang, deaths, and what a trial prints."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from queue_source import HERE, QueueSource, attended, job

from automl.contracts import Ending, Needs, Report, TrialState
from automl.executors.isolated import Isolated, Spawned
from automl.executors.local import Local
from automl.signs import last_sign

NEEDS = Needs(import_path=[HERE], evaluators=[], spaces=[])


@pytest.fixture(params=["spawned", "forked"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """Whose processes are started each by itself, or forked by one that has loaded all."""
    monkeypatch.setattr("automl.executors.places.may_fork", lambda *_: sys.platform == "linux")
    made = Local(Local.Options(isolate=True, spare=request.param == "forked"))
    made.check()
    if request.param == "forked":
        made.examine(NEEDS, print)
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


class Late(QueueSource):
    """A driver that stands still at a report, as when its ledger is away; `meanwhile` happens then."""

    def __init__(self, folder: Path, meanwhile: Callable[[], None]) -> None:
        self.one = job("good", folder)
        super().__init__([self.one])
        self.meanwhile, self.used, self.noted = meanwhile, list[float | None](), 0.0

    def report(self, trial: str, token: str, report: Report) -> str | None:
        end = time.monotonic() + PATIENCE
        while (last_sign(Path(self.one.workdir), token) or 0.0) < 0.3:
            assert time.monotonic() < end, "a worker notes what it uses, whatever its driver does"
            time.sleep(0.01)
        self.meanwhile()
        self.noted = last_sign(Path(self.one.workdir), token) or 0.0
        time.sleep(0.5)
        return super().report(trial, token, report)

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        self.used.append(used)
        del self.open[trial]


@pytest.mark.slow
def test_a_trial_pays_until_its_process_died_though_its_driver_hears_late(tmp_path: Path) -> None:
    worker = Isolated()

    def kill() -> None:
        assert isinstance(worker._process, Spawned)
        os.killpg(worker._process._process.pid, signal.SIGKILL)
        worker._process.wait()

    source = Late(tmp_path, kill)
    attended(worker, source)
    assert source.used == [source.noted]
    assert source.noted >= 0.3

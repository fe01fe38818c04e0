"""Trials in this process: whose fault an error is, and deadlines that wait for the end of a report."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from queue_source import QueueSource, job

from automl.contracts import PluginSpec, Report, RunError, TrialState, UserError
from automl.executors.local import Local
from automl.plugins import build


def local(**options: int) -> Local:
    made = build("executors", PluginSpec("local", options))
    assert isinstance(made, Local)
    return made


class Away(QueueSource):
    def report(self, trial: str, token: str, report: Report) -> str | None:
        raise RunError("the store is away")


class Slow(QueueSource):
    """Writes each report for longer than the trial may take."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            time.sleep(0.005)
        return super().report(trial, token, report)


@pytest.mark.parametrize("objective", ["good", "swallows"])
def test_an_error_of_the_campaign_is_no_fault_of_the_trial(objective: str, tmp_path: Path) -> None:
    source = Away([job(objective, tmp_path)])
    with pytest.raises(RunError, match="the store is away"):
        local().run(source)
    assert not source.outcomes


def test_a_deadline_waits_for_the_end_of_a_report(tmp_path: Path) -> None:
    source = Slow([job("good", tmp_path, deadline=0.05)])
    local().run(source)
    outcome = source.outcomes["good"]
    assert (outcome.state, outcome.reason) == (
        TrialState.FAILED,
        "deadline: the trial took longer than 0.05 s",
    )
    assert [report.step for report in source.reports["good"]] == [1]


def test_resources_that_this_machine_lacks_are_refused() -> None:
    with pytest.raises(UserError, match="must be at most this machine's"):
        local(cpus=(os.cpu_count() or 1) + 1).check()


def test_an_interrupt_that_the_objective_swallows_still_interrupts(tmp_path: Path) -> None:
    source = QueueSource([job("swallows_interrupts", tmp_path), job("good", tmp_path)])
    with pytest.raises(KeyboardInterrupt):
        local().run(source)
    assert not source.outcomes, "the trial goes on when its campaign does"

"""A whole search as one job: its simulated clock, budget and pruning, and the same ends as a live search."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_benchmark
from patience import PATIENCE

from automl.benchmarks import load_table
from automl.contracts import Job, Outcome, PluginSpec, Replay, Report, TrialState
from automl.executors.worker import run_job

RANDOM, NONE = PluginSpec("random"), PluginSpec("none")
STEPS = {step: f"value_{step}" for step in (1, 2, 3)}
COSTS = {step: f"cost_{step}" for step in (1, 2, 3)}


class Silent:
    def report(self, report: Report) -> str | None:
        raise AssertionError("a whole search reports nothing on its way")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return toy_benchmark.write(tmp_path / "toy.npz")


def job(file: Path, replay: Replay, **options: Any) -> Job:
    given = {"file": str(file), "value": "value_3", "cost": "cost_3", "fresh": "fresh", **options}
    lookup = PluginSpec("lookup", given)
    return Job(
        trial="toy-1/random/0",
        token="token",
        attempt=1,
        space={"name": str(file)},
        task={"dataset": None},
        metrics=[{"name": "accuracy", "direction": "maximize"}],
        evaluator=lookup,
        protocol=lookup,
        config={},
        seed=replay.seed,
        workdir=str(file.parent / "work"),
        devices=1.0,
        cpus=1.0,
        gpus=0.0,
        remaining=replay.budget,
        deadline=PATIENCE,
        replay=replay,
    )


def run(file: Path, replay: Replay, **options: Any) -> Outcome:
    """The outcome after both ways through JSON, as on a cluster."""
    told = Job.from_json(json.loads(json.dumps(job(file, replay, **options).to_json())))
    outcome = run_job(told, Silent())
    assert outcome == Outcome.from_json(json.loads(json.dumps(outcome.to_json())))
    return outcome


def test_the_clock_is_the_tables_and_the_budget_is_used_up(file: Path) -> None:
    outcome = run(file, Replay(RANDOM, NONE, 0, 200.0, None, 3))
    table, trials = load_table(str(file)), [one for one in outcome.trials if one.kind == "trial"]
    assert outcome.state is TrialState.COMPLETE
    for one in trials[:-1]:
        row = table.row(one.config)
        assert one.outcome.state is TrialState.COMPLETE
        assert one.outcome.values == [toy_benchmark.arrays()["value_3"][row]]
        assert one.outcome.device_seconds == toy_benchmark.arrays()["cost_3"][row]
    spent = sum(one.outcome.device_seconds for one in trials)
    last = trials[-1].outcome
    if last.state is TrialState.PRUNED:  # it did not fit any more, and does not count
        assert last.values is None and last.reason.startswith("budget")
        assert spent == pytest.approx(200)
    assert 200 - 15 * 0.9 <= spent <= 200 + 1e-9 and outcome.device_seconds == pytest.approx(spent)
    assert outcome.reason.startswith(f"budget: {spent:.1f} of 200")
    assert [one.number for one in trials] == list(range(len(trials)))
    ends = [one.finished_at for one in outcome.trials]
    assert ends == sorted(set(ends)), "their order can be told"


def test_the_winners_fresh_values_come_with_it(file: Path) -> None:
    outcome = run(file, Replay(RANDOM, NONE, 0, 200.0, None, 3))
    complete = [one for one in outcome.trials if one.kind == "trial" and one.outcome.values]
    best = max(complete, key=lambda one: one.outcome.values[0])  # type: ignore[index]
    finals = [one for one in outcome.trials if one.kind == "final"]
    seeds = toy_benchmark.arrays()["fresh_seeds"][load_table(str(file)).row(best.config)]
    assert [one.outcome.values for one in finals] == [[value] for value in seeds[np.isfinite(seeds)]]
    assert all(one.config == best.config and one.outcome.device_seconds == 0 for one in finals)
    assert not [
        one for one in run(file, Replay(RANDOM, NONE, 0, 200.0, None, 0)).trials if one.kind == "final"
    ]


def test_the_same_seed_gives_the_same_search(file: Path) -> None:
    def configs(seed: int) -> list[Any]:
        return [one.config for one in run(file, Replay(RANDOM, NONE, seed, 300.0, None, 0)).trials]

    assert configs(1) == configs(1) != configs(2)


def test_ends_that_are_no_budget(file: Path) -> None:
    outcome = run(file, Replay(RANDOM, NONE, 0, None, 7, 0))
    assert (len(outcome.trials), outcome.reason) == (7, "budget: 7 trials")
    outcome = run(file, Replay(PluginSpec("grid"), NONE, 0, 10_000.0, None, 0))
    assert (len(outcome.trials), outcome.reason) == (12, "complete: the strategy has nothing left to propose")
    fixed = replace(job(file, Replay(None, NONE, 0, 10_000.0, None, 2)), config=toy_benchmark.CONFIG)
    outcome = run_job(fixed, Silent())
    assert outcome.reason == "complete: its one trial has ended"
    assert [one.kind for one in outcome.trials] == ["trial", "final", "final"]


def test_pruned_trials_pay_for_the_steps_they_took(file: Path) -> None:
    pruner = PluginSpec("asha", {"reduction": 2, "min_resource": 1})
    outcome = run(file, Replay(RANDOM, pruner, 0, None, 40, 0), value=STEPS, cost=COSTS)
    truth, table = toy_benchmark.arrays(), load_table(str(file))
    pruned = [one for one in outcome.trials if one.outcome.state is TrialState.PRUNED]
    assert 5 < len(pruned) < 35
    for one in outcome.trials:
        row, last = table.row(one.config), one.reports[-1].step
        assert one.outcome.device_seconds == truth[f"cost_{last}"][row]
        assert [report.step for report in one.reports] == list(range(1, last + 1))
        for report in one.reports:
            assert report.value == truth[f"value_{report.step}"][row]
            assert report.device_seconds == truth[f"cost_{report.step}"][row]
    assert outcome.device_seconds < 40 * 3 * 6.5, "pruning saves simulated time"


def test_a_trial_that_a_budget_cuts_keeps_the_steps_before(file: Path) -> None:
    outcome = run(file, Replay(RANDOM, NONE, 0, 13.0, None, 0), value=STEPS, cost=COSTS)
    (cut,) = outcome.trials
    assert cut.outcome.state is TrialState.PRUNED and cut.outcome.device_seconds == 13.0
    assert 1 <= len(cut.reports) <= 2
    assert all(report.device_seconds <= 13 for report in cut.reports)


def test_configurations_without_a_row_fail_and_end_the_search(file: Path) -> None:
    wrong = replace(job(file, Replay(RANDOM, NONE, 0, 500.0, None, 3)), space={"name": "nasbench201"})
    outcome = run_job(wrong, Silent())
    assert len(outcome.trials) == 5
    assert all("no row for" in one.outcome.reason for one in outcome.trials)
    assert outcome.reason.startswith("failures: 5 trials in a row failed")


def test_a_search_that_cannot_run_says_why(file: Path) -> None:
    outcome = run_job(job(file, Replay(PluginSpec("nowhere"), NONE, 0, 500.0, None, 0)), Silent())
    assert outcome.state is TrialState.FAILED and "nowhere" in outcome.reason
    late = replace(job(file, Replay(RANDOM, NONE, 0, None, 10**9, 0)), deadline=0.2)
    outcome = run_job(late, Silent())
    assert (outcome.state, outcome.reason, outcome.trials) == (TrialState.PRUNED, "deadline", [])

"""Winners of campaigns that grow: their retrainings, and what they have on the test set."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_benchmark
from growing_study import content, differences, run

from automl.contracts import TrialState
from automl.export.certificate import find_winner
from automl.ledger import Ledger, Store
from automl.recorder.audit import audit
from automl.report import collect

IRIS = """
name: growing
task: {dataset: iris, metric: accuracy}
space: {name: tabular, fix: {model: knn}}
evaluator: pipeline
budget: {trials: 1}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 1}
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    path = workspace / "growing.yaml"
    path.write_text(IRIS)
    return path


@pytest.mark.slow
def test_a_winner_that_stays_keeps_its_retrainings_and_is_scored_once(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store)
    (model,) = (trial for trial in ledger.trials(campaign="growing-1") if trial.kind == "final")
    run(study, store, "seeds=2")
    assert [one.search for one in ledger.openings("growing-1")] == [
        "growing-1/random/0",
        "growing-1/random/1",
    ]
    run(study, store, "seeds=2", "final.seeds=2")
    openings = ledger.openings("growing-1")
    assert [len(one.values or ()) for one in openings] == [1, 1, 2, 2]
    assert openings[2].trials == [model.id, "growing-1/random/0/final-1"]
    assert openings[2].values[0] == openings[0].values[0]  # type: ignore[index]
    report = collect(ledger, "growing-1")
    assert report.test_openings == 4
    assert report.arms["random"].searches[0].test == tuple(openings[2].values or ())
    assert any("the test set had been opened 2 times before" in line for line in report.warnings)
    certificate = find_winner(ledger, "growing-1").certificate
    assert (certificate.test_openings, certificate.winner_openings) == (4, 2)
    assert certificate.warnings == list(report.warnings)
    assert differences(store, ledger, "growing-1") == []


@pytest.mark.slow
def test_a_new_winner_is_retrained_with_the_seeds_that_it_would_have_had(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store)
    first = ledger.searches("growing-1")[0].winner
    trials = 1
    while ledger.searches("growing-1")[0].winner == first and trials < 12:
        trials += 2
        run(study, store, f"budget.trials={trials}")
    search = ledger.searches("growing-1")[0]
    assert search.winner != first
    run(study, store, f"budget.trials={trials}", "name=whole")
    finals = [trial for trial in ledger.trials(search=search.id) if trial.kind == "final"]
    (whole,) = (trial for trial in ledger.trials(campaign="whole-1") if trial.kind == "final")
    assert (finals[-1].config, finals[-1].seed, finals[-1].values) == (whole.config, whole.seed, whole.values)
    grown, at_once = (collect(ledger, name).arms["random"].searches[0] for name in ("growing-1", "whole-1"))
    assert (grown.fresh, grown.test) == (at_once.fresh, at_once.test)
    assert differences(store, ledger, "growing-1") == []


@pytest.mark.slow
@pytest.mark.parametrize("record", ["searches", "trials"])
def test_a_search_of_a_table_goes_on(workspace: Path, store: Store, ledger: Ledger, record: str) -> None:
    toy_benchmark.write(workspace / "toy.npz")
    path = workspace / "toytable.yaml"
    path.write_text(toy_benchmark.STUDY)
    more = f"record={record}"
    run(path, store, more, "budget.device_seconds=60.0", "final.seeds=1")
    first = content(ledger, "toytable-1")
    run(path, store, more, "budget.device_seconds=200.0", "final.seeds=2")
    after = content(ledger, "toytable-1")
    assert [row for row in after if row in first] == first
    assert len(after) > len(first)
    for search in ledger.searches("toytable-1"):
        trials = [trial for trial in ledger.trials(search=search.id) if trial.kind == "trial"]
        assert sorted(trial.told for trial in trials if trial.told is not None) == list(range(len(trials)))
        best = max(trial.values[0] for trial in trials if trial.state is TrialState.COMPLETE and trial.values)
        (winner,) = (trial for trial in trials if trial.id == search.winner)
        assert winner.values is not None
        assert winner.values[0] == best
    report = collect(ledger, "toytable-1")
    assert all(len(search.test) == 2 for arm in report.arms.values() for search in arm.searches)
    found = audit(store, ledger, "toytable-1")
    assert (found.missing, found.different) == ([], [])
